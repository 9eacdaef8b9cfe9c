// The remote goes in, a revision that is on this host and descends from the last accepted one comes out. Whatever goes wrong
// on the way, the last good revision stays readable.
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Revision } from '../../shared/names.ts'
import { PlumbError } from '../../shared/problem.ts'
import type { Run } from '../host/run.ts'
import { acquireLock } from '../state/lock.ts'
import { addressOf } from './address.ts'
import { bringHead, type CopyParts, compacted, isDamage } from './copy.ts'
import { createGitHttp } from './http.ts'
import { createHttpTransport } from './isomorphic.ts'
import { readMark, writeMark } from './mark.ts'
import { createReader } from './reader.ts'
import type { Remote, RevisionReader } from './revision.ts'
import { createStore, sealedPacks, unseal } from './store.ts'
import { createSystemGitTransport } from './system-git.ts'

export type RepositoryOptions = {
  /** The agent's; the copy lives below it. */
  readonly stateDirectory: string
  readonly remote: Remote
  readonly run: Run
  /** A copy with more packs is made anew beside itself; default 50. */
  readonly packsAtMost?: number
}

export type SyncOptions = {
  /** A person has said that a history without the mark is meant. */
  readonly allowRewind: boolean
}

/** Every failure is a PlumbError. */
export type Repository = {
  /**
   * Looks at the remote, brings what is new, and resolves to its head. Throws `repository-unreachable`, `git-missing`,
   * `repository-rewound`, `disk-full`...; the last good revision stays as it was.
   */
  sync(options: SyncOptions): Promise<RevisionReader>
  /** Called when the revision was verified and desired: later heads must descend from it. On disk when it resolves. */
  accept(revision: Revision): Promise<void>
  /** The last accepted revision, without the network; undefined when there is none, or no readable copy of it. */
  lastGood(): Promise<RevisionReader | undefined>
  /** A branch, a tag, a full or an abbreviated id; asks the remote when it is not here. Throws `usage` when it is nowhere. */
  readerAt(name: string): Promise<RevisionReader>
}

/** Touches nothing; throws PlumbError `usage` for an address that is none. */
export function openRepository({ stateDirectory, remote, run, packsAtMost = 50 }: RepositoryOptions): Repository {
  const directory = join(stateDirectory, 'repository')
  const markPath = join(directory, 'mark.json')
  const parts = partsFor(remote, directory, run)
  const { store, transport, url } = parts
  const readers = createReaders(parts)
  let followed: string | undefined

  const sync = async ({ allowRewind }: SyncOptions): Promise<RevisionReader> => {
    const head = await transport.head()
    followed = head.ref
    const mark = await readMark(markPath)
    const copy = await store.current()
    const packs = copy === undefined ? undefined : await sealedPacks(copy)
    if (copy !== undefined && packs !== undefined && mark?.revision === head.revision) {
      if (packs <= packsAtMost) return readers.kept(copy, head.revision)
      return readers.kept(await locked(parts, directory, () => compacted(parts, head, copy)), head.revision)
    }
    const brought = await locked(parts, directory, () => bringHead(parts, { head, mark, allowRewind }))
    return readers.kept(brought.copy, brought.revision)
  }

  const lastGood = async (): Promise<RevisionReader | undefined> => {
    const mark = await readMark(markPath)
    const copy = await store.current()
    if (mark === undefined || copy === undefined) return undefined
    const sealed = (await sealedPacks(copy)) !== undefined
    const here = sealed || (await transport.objects(copy).hasCommit(mark.revision).catch(absentWhenDamaged))
    return here ? readers.kept(copy, mark.revision) : undefined
  }

  const readerAt = async (name: string): Promise<RevisionReader> => {
    const copy = await store.current()
    const here = copy === undefined ? undefined : await transport.objects(copy).resolve(name)
    if (copy !== undefined && here !== undefined) return readers.once(copy, here)
    return await locked(parts, directory, async () => {
      // In a place of its own: what it holds is cut off from history, which in the copy would look like a rewind.
      const aside = join(directory, 'aside')
      await rm(aside, { recursive: true, force: true })
      await transport.create(aside)
      const revision = await transport.bring(aside, name)
      if (revision !== undefined) return readers.once(aside, revision)
      throw unknownRevision(name, url)
    })
  }

  return {
    sync: (options) => sync(options).finally(transport.rest),
    accept: async (revision) => {
      const ref = followed ?? (await readMark(markPath))?.ref ?? `refs/heads/${remote.branch ?? 'main'}`
      await writeMark(markPath, { version: 1, revision, url, ref })
    },
    lastGood,
    readerAt: (name) => readerAt(name).finally(transport.rest),
  }
}

function partsFor(remote: Remote, directory: string, run: Run): CopyParts {
  const address = addressOf(remote)
  const transport =
    address.kind === 'http'
      ? createHttpTransport(address, remote.branch, createGitHttp(address, remote.certificate))
      : createSystemGitTransport({ address, branch: remote.branch, directory, run })
  return { url: address.url, transport, store: createStore(directory) }
}

type Readers = {
  /** With its listing kept for the next time; the same one as long as nothing moved. */
  kept(copy: string, revision: Revision): RevisionReader
  once(copy: string, revision: Revision): RevisionReader
}

function createReaders({ transport }: CopyParts): Readers {
  let latest: { readonly copy: string; readonly reader: RevisionReader } | undefined
  const reader = (copy: string, revision: Revision, listing: string | undefined) =>
    createReader({ revision, objects: transport.objects(copy), listing, onDamage: () => unseal(copy) })
  return {
    kept: (copy, revision) => {
      if (latest?.copy === copy && latest.reader.revision === revision) return latest.reader
      latest = { copy, reader: reader(copy, revision, join(copy, 'plumb-listing.json')) }
      return latest.reader
    },
    once: (copy, revision) => reader(copy, revision, undefined),
  }
}

async function locked<Result>({ store }: CopyParts, directory: string, work: () => Promise<Result>): Promise<Result> {
  const purpose = 'sync of the repository'
  const lock = await acquireLock(join(directory, 'lock'), { purpose, now: new Date(), waitSeconds: 600 })
  try {
    await store.tidy()
    return await work()
  } finally {
    lock.release()
  }
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
