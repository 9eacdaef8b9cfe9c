// The result of sync: a revision whose objects are on this host, readable without network access.
import type { Credentials } from '../../shared/address.ts'
import type { Revision } from '../../shared/names.ts'
import type { TreeEntry } from '../../shared/repository/tree.ts'

export type RevisionReader = {
  readonly revision: Revision
  /** Every file of the revision, including submodules (rejected by desire). */
  entries(): Promise<readonly TreeEntry[]>
  /** The bytes of one object; throws PlumbError `repository-corrupt` when it is missing or unreadable. */
  read(oid: string): Promise<Uint8Array>
  /** Many at once, in the order asked; one round trip where the transport has one. */
  readMany(oids: readonly string[]): Promise<readonly Uint8Array[]>
}

/** Address of the repository; pinned on the host, never set by the server. */
export type Remote = {
  /** http(s)://, ssh:// (or user@host:path), or a local path. */
  readonly url: string
  /** Default: the remote's HEAD. */
  readonly branch?: string
  /** PEM of the certificate authority to trust for https, beside the system's. */
  readonly certificate?: string
  /** Called per request for HTTP basic credentials. */
  readonly credentials?: () => Credentials
}
