// Syncs with the remote: fetches a revision that descends from the last accepted one. On any failure the last good
// revision stays readable.
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Run } from '../../shared/command.ts'
import type { Revision } from '../../shared/names.ts'
import { PlumbError } from '../../shared/problem.ts'
import { acquireLock } from '../state/lock.ts'
import { type Address, addressOf } from './address.ts'
import { bringHead, type CopyParts, compacted, isDamage } from './copy.ts'
import { pinnedBranch, readMark, writeMark } from './mark.ts'
import { createReader } from './reader.ts'
import type { Remote, RevisionReader } from './revision.ts'
import { createStore, sealedPacks, unseal } from './store.ts'
import { branchName, type RemoteHead, type Transport } from './transport.ts'

export type RepositoryOptions = {
  /** The agent's state directory; the copy is below it. */
  readonly stateDirectory: string
  readonly remote: Remote
  readonly run: Run
  /** A copy with more packs is cloned again beside itself; default 50. */
  readonly packsAtMost?: number
}

export type SyncOptions = {
  /** A person accepts a history without the mark. */
  readonly allowRewind: boolean
  /** A person accepts the branch that the remote's HEAD names now. */
  readonly allowBranchChange?: boolean
  /** Aborting ends the wait for the remote. */
  readonly stop?: AbortSignal
}

/** Every failure is a PlumbError. */
export type Repository = {
  /**
   * Fetches from the remote and resolves to its head. Throws `repository-unreachable`, `git-missing`,
   * `repository-rewound`, `branch-changed`, `disk-full`...; the last good revision stays as it was.
   */
  sync(options: SyncOptions): Promise<RevisionReader>
  /** Must be called when the revision was verified and loaded: later heads must descend from it. On disk when it resolves. */
  accept(revision: Revision): Promise<void>
  /** The last accepted revision, without network access; undefined when there is none, or no readable copy of it. */
  lastGood(): Promise<RevisionReader | undefined>
  /**
   * A branch, a tag, a full or an abbreviated id; asks the remote when the copy lacks it. Throws `usage` when it is not
   * found.
   */
  readerAt(name: string): Promise<RevisionReader>
}

/** Opens nothing yet; throws PlumbError `usage` for an invalid address. */
export function openRepository(options: RepositoryOptions): Repository {
  const address = addressOf(options.remote)
  let opening: Promise<Repository> | undefined
  const opened = (): Promise<Repository> => {
    opening ??= openAt(address, options)
    return opening
  }
  return {
    sync: async (syncOptions) => (await opened()).sync(syncOptions),
    accept: async (revision) => (await opened()).accept(revision),
    lastGood: async () => (await opened()).lastGood(),
    readerAt: async (name) => (await opened()).readerAt(name),
  }
}

async function openAt(address: Address, options: RepositoryOptions): Promise<Repository> {
  const { stateDirectory, remote, packsAtMost = 50 } = options
  const { url } = address
  const directory = join(stateDirectory, 'repository')
  const markPath = join(directory, 'mark.json')
  const transport = await transportTo(address, directory, options)
  const parts: CopyParts = { url, transport, store: createStore(directory) }
  const { store } = parts
  const readers = createReaders(transport)
  const isBranchGiven = remote.branch !== undefined
  let followed: string | undefined

  const sync = async ({ allowRewind, allowBranchChange, stop }: SyncOptions): Promise<RevisionReader> => {
    const remote = stop === undefined ? transport : transport.within(stop)
    const talking: CopyParts = { ...parts, transport: remote }
    const waiting = { directory, stop }
    const mark = readMark(markPath)
    const pinned = isBranchGiven || allowBranchChange === true ? undefined : pinnedBranch(mark, url)
    const headWithin = async (way: Transport) => requireBranch(url, await way.head(), pinned)
    const head = await headWithin(remote.within(AbortSignal.timeout(pollSeconds * 1000)))
    followed = head.ref
    const copy = store.current()
    const packs = copy === undefined ? undefined : sealedPacks(copy)
    if (copy !== undefined && packs !== undefined && mark?.revision === head.revision) {
      if (packs <= packsAtMost) return readers.kept(copy, head.revision)
      return readers.kept(await locked(talking, waiting, () => compacted(talking, head, copy)), head.revision)
    }
    const brought = await locked(talking, waiting, async () => {
      const markNow = readMark(markPath)
      // Another process may have accepted a revision meanwhile, against which the head seen before could look rewound.
      const headNow = markNow?.revision === mark?.revision ? head : await headWithin(remote)
      return await bringHead(talking, { head: headNow, mark: markNow, allowRewind })
    })
    return readers.kept(brought.copy, brought.revision)
  }

  const lastGood = async (): Promise<RevisionReader | undefined> => {
    const mark = readMark(markPath)
    const copy = store.current()
    if (mark === undefined || copy === undefined) return undefined
    const sealed = sealedPacks(copy) !== undefined
    const here = sealed || (await transport.objects(copy).hasCommit(mark.revision).catch(absentWhenDamaged))
    return here ? readers.kept(copy, mark.revision) : undefined
  }

  const readerAt = async (name: string): Promise<RevisionReader> => {
    const copy = store.current()
    const here = copy === undefined ? undefined : await transport.objects(copy).resolve(name)
    if (copy !== undefined && here !== undefined) return readers.once(copy, here)
    return await locked(parts, { directory }, async () => {
      // In a separate directory: its shallow history would look like a rewind in the copy.
      const aside = join(directory, 'aside')
      await rm(aside, { recursive: true, force: true })
      await transport.create(aside)
      const revision = await transport.bring(aside, name)
      if (revision !== undefined) return readers.once(aside, revision)
      throw unknownRevision(name, url)
    })
  }

  return {
    sync: (syncOptions) => sync(syncOptions).finally(transport.rest),
    accept: async (revision) => {
      const mark = readMark(markPath)
      const ref = followed ?? mark?.ref ?? `refs/heads/${remote.branch ?? 'main'}`
      const head = isBranchGiven ? (pinnedBranch(mark, url) ?? null) : ref
      await writeMark(markPath, { version: 1, revision, url, ref, head })
    },
    lastGood,
    readerAt: (name) => readerAt(name).finally(transport.rest),
  }
}

/** Loaded on demand: for a local directory, loading the unused library would take half the time of a check. */
async function transportTo(
  address: Address,
  directory: string,
  { remote, run }: RepositoryOptions,
): Promise<Transport> {
  if (address.kind === 'http') {
    const [{ createHttpTransport }, { createGitHttp }] = await Promise.all([
      import('./isomorphic.ts'),
      import('./http.ts'),
    ])
    return createHttpTransport(address, remote.branch, createGitHttp(address, remote.certificate))
  }
  const { createSystemGitTransport } = await import('./system-git.ts')
  return createSystemGitTransport({ address, branch: remote.branch, directory, run })
}

type Readers = {
  /** Caches the listing for the next time; returns the same reader as long as nothing changed. */
  kept(copy: string, revision: Revision): RevisionReader
  once(copy: string, revision: Revision): RevisionReader
}

function createReaders(transport: Transport): Readers {
  // Two, because a broken head and the last good revision are read alternately.
  let latest: readonly { readonly copy: string; readonly reader: RevisionReader }[] = []
  const reader = (copy: string, revision: Revision, listing: string | undefined) =>
    createReader({ revision, objects: transport.objects(copy), listing, onDamage: () => unseal(copy) })
  return {
    kept: (copy, revision) => {
      const known = latest.find((kept) => kept.copy === copy && kept.reader.revision === revision)
      if (known !== undefined) return known.reader
      const made = { copy, reader: reader(copy, revision, join(copy, 'plumb-listing.json')) }
      latest = [made, ...latest].slice(0, 2)
      return made.reader
    },
    once: (copy, revision) => reader(copy, revision, undefined),
  }
}

/** Deadline for the remote to name the head of the branch. */
const pollSeconds = 60

type Waiting = { readonly directory: string; readonly stop?: AbortSignal | undefined }

async function locked<Result>(
  { store }: CopyParts,
  { directory, stop }: Waiting,
  work: () => Promise<Result>,
): Promise<Result> {
  const purpose = 'sync of the repository'
  const lock = await acquireLock(join(directory, 'lock'), { purpose, now: new Date(), waitSeconds: 600, stop })
  try {
    await store.removeUnfinished()
    return await work()
  } catch (error) {
    // At once, not by the next sync, which might be impossible on a disk that this one has filled.
    await store.removeUnfinished().catch(() => undefined)
    throw error
  } finally {
    lock.release()
  }
}

/** Otherwise changing HEAD at the remote, a forge setting that needs no push, would choose what is deployed. */
function requireBranch(url: string, head: RemoteHead, pinned: string | undefined): RemoteHead {
  const { ref } = head
  if (pinned === undefined || ref === pinned) return head
  throw new PlumbError({
    code: 'branch-changed',
    message:
      `${url}: the remote's HEAD names ${branchName(ref)} by now; this host has followed ${branchName(pinned)} so far, ` +
      'and was given no branch. Nothing of it is applied.',
    remedy:
      'If that was meant: plumb apply --allow-branch-change, or plumb install --branch NAME. If not, set the default branch back at the remote.',
  })
}

function absentWhenDamaged(error: unknown): boolean {
  if (isDamage(error)) return false
  throw error
}

function unknownRevision(name: string, url: string): PlumbError {
  return new PlumbError({
    code: 'usage',
    message: `${url}: "${name}" is no branch, no tag, and no commit that is here or that the remote gives by its id.`,
    remedy: 'Give a branch, a tag, or all 40 digits of a commit.',
  })
}
