// What sync hands on: a revision whose objects are on this host, readable without touching the network.
import type { Credentials } from '../../shared/address.ts'
import type { Revision } from '../../shared/names.ts'
import type { TreeEntry } from '../../shared/repository/tree.ts'

export type RevisionReader = {
  readonly revision: Revision
  /** Every file of the revision, submodules included (desire refuses them). */
  entries(): Promise<readonly TreeEntry[]>
  /** The bytes of one object; throws PlumbError `repository-corrupt` when it is not there or not readable. */
  read(oid: string): Promise<Uint8Array>
  /** Many at once, in the order asked; one round trip where the transport has one. */
  readMany(oids: readonly string[]): Promise<readonly Uint8Array[]>
}

/** Where the repository is; pinned on the host, never told by the server. */
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
