// Interfaces for a remote and for the fetched objects; one implementation per git transport.
import type { Revision } from '../../shared/names.ts'
import type { TreeEntry } from '../../shared/repository/tree.ts'

export type RemoteHead = {
  /** `refs/heads/main`; `HEAD` for a local repository whose HEAD is on no branch. */
  readonly ref: string
  readonly revision: Revision
}

/** Throws PlumbError: `repository-unreachable` when the remote is at fault, `repository-corrupt` when the copy is. */
export type Transport = {
  /** The same transport, whose requests end when the signal aborts, as if the remote had not answered in time. */
  within(stop: AbortSignal): Transport
  /** The present head of the followed branch. Cheap, and changes nothing here. */
  head(): Promise<RemoteHead>
  /** Makes an empty bare repository in a directory that does not exist yet. */
  create(directory: string): Promise<void>
  /**
   * Fetches `ref` with its objects; resolves to its commit at that moment. Without `depth` only new commits are
   * transferred; with it the history has at least that many commits.
   */
  fetch(directory: string, ref: string, depth?: number): Promise<Revision>
  /** Fetches the single commit that a branch, a tag or an id names at the remote; undefined when it names none. */
  bring(directory: string, name: string): Promise<Revision | undefined>
  /** Objects of a local repository; needs no remote. */
  objects(directory: string): Objects
  /** Called after each sync, so that no connection stays open in between. */
  rest(): void
}

export type Objects = {
  hasCommit(revision: Revision): Promise<boolean>
  /** A commit descends from itself. False also when the history here ends before `ancestor`. */
  descends(revision: Revision, ancestor: Revision): Promise<boolean>
  /** Resolves a branch, a tag, a full or an abbreviated id; undefined when it names nothing here. */
  resolve(name: string): Promise<Revision | undefined>
  entries(revision: Revision): Promise<readonly TreeEntry[]>
  /** Size of each content in bytes, without reading it; in the requested order. */
  sizes(oids: readonly string[]): Promise<readonly number[]>
  /** In the requested order. */
  readMany(oids: readonly string[]): Promise<readonly Uint8Array[]>
}

/** The short name of `refs/heads/main`. */
export function branchName(ref: string): string {
  return ref.replace(/^refs\/heads\//, '')
}
