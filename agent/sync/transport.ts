// What sync needs of a remote and of the objects it brought here; one implementation per way of speaking git.
import type { Revision } from '../../shared/names.ts'
import type { TreeEntry } from '../../shared/repository/tree.ts'

export type RemoteHead = {
  /** `refs/heads/main`; `HEAD` for a local repository whose HEAD is on no branch. */
  readonly ref: string
  readonly revision: Revision
}

/** Throws PlumbError: `repository-unreachable` when the other side is at fault, `repository-corrupt` when this one is. */
export type Transport = {
  /** The same, whose talk with the remote ends when the signal aborts, as if it had not answered in time. */
  within(stop: AbortSignal): Transport
  /** Where the followed branch stands now. Cheap, and changes nothing here. */
  head(): Promise<RemoteHead>
  /** Makes an empty bare repository in a directory that does not exist yet. */
  create(directory: string): Promise<void>
  /**
   * Brings `ref` and what it needs; resolves to where it stood at that moment. Without `depth` only what came since the last
   * time travels; with it the history goes back at least so many commits.
   */
  fetch(directory: string, ref: string, depth?: number): Promise<Revision>
  /** Brings the one commit that a branch, a tag or an id means at the remote; undefined when it means none there. */
  bring(directory: string, name: string): Promise<Revision | undefined>
  /** What a repository on this host holds; needs no remote. */
  objects(directory: string): Objects
  /** Called after each sync: nothing stays connected between them. */
  rest(): void
}

export type Objects = {
  hasCommit(revision: Revision): Promise<boolean>
  /** A commit descends from itself. False also when the history here ends before `ancestor`. */
  descends(revision: Revision, ancestor: Revision): Promise<boolean>
  /** Of a branch, a tag, a full or an abbreviated id; undefined when nothing here has that name. */
  resolve(name: string): Promise<Revision | undefined>
  entries(revision: Revision): Promise<readonly TreeEntry[]>
  /** Bytes of each content, without reading it; in the order asked. */
  sizes(oids: readonly string[]): Promise<readonly number[]>
  /** In the order asked. */
  readMany(oids: readonly string[]): Promise<readonly Uint8Array[]>
}

/** `refs/heads/main` as people say it. */
export function branchName(ref: string): string {
  return ref.replace(/^refs\/heads\//, '')
}
