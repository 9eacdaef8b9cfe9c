// What an apply takes away and the repository never had - an edit made by hand, a package's default - is kept before it is
// committed: content in the object store, with an index of what it was.

import { createHash, hash } from 'node:crypto'
import { compact } from '../../shared/compact.ts'
import type { AbsolutePath, ServiceName } from '../../shared/names.ts'
import type { FileStat, PurgedEntry, TakePart } from '../host/files.ts'
import type { HostWriter } from '../host/host.ts'
import type { DisplacedPath } from '../resources/removal/leaving.ts'
import { type Archived, archivedFileLimitBytes, type Was } from '../state/archive.ts'
import { notKeptText } from '../state/archive-text.ts'
import type { ObjectBatch } from '../state/objects.ts'
import type { State } from '../state/state.ts'

export type Displacing = {
  readonly service: ServiceName
  /** ISO 8601. */
  readonly at: string
  readonly host: HostWriter
  readonly state: State
  /** What one apply may still add, all services together. */
  readonly budget: { bytes: number }
}

/** What was at a path, and whether its content is in the store now. */
export type FormerPath = {
  readonly path: string
  readonly isEscaped: boolean
  readonly stat: FileStat
  readonly sha256?: string
  readonly target?: string
  readonly isStored: boolean
}

export type Kept = {
  /** What was replaced, by path. */
  readonly former: ReadonlyMap<string, FormerPath>
  /** What was purged, by the directory it was in. */
  readonly purged: ReadonlyMap<string, readonly FormerPath[]>
  /** One line for each that could not be kept. */
  readonly notKept: readonly string[]
}

/** On disk when it returns, and nothing of it when it throws. `purged`: directories that something was taken out of. */
export async function keepDisplaced(
  replaced: readonly DisplacedPath[],
  purged: readonly AbsolutePath[],
  displacing: Displacing,
): Promise<Kept> {
  const { state, host } = displacing
  const keeping: Keeping = { displacing, batch: state.objects.batch(), displaced: [], left: displacing.budget.bytes }
  try {
    return await host.files.pass(async () => {
      const former = new Map<string, FormerPath>()
      for (const one of replaced) {
        const found = await keepReplaced(one, keeping)
        if (found !== undefined) former.set(one.path, found)
      }
      const taken = new Map<string, readonly FormerPath[]>()
      for (const directory of purged) taken.set(directory, await keepPurged(directory, keeping))
      await keeping.batch.settle()
      await state.archive.add(keeping.displaced)
      displacing.budget.bytes = keeping.left
      return { former, purged: taken, notKept: keeping.displaced.flatMap(({ path, was }) => notKeptText(path, was)) }
    })
  } finally {
    keeping.batch.drop()
  }
}

type Keeping = {
  readonly displacing: Displacing
  readonly batch: ObjectBatch
  readonly displaced: Archived[]
  left: number
}

/** Files and links of one purge that are archived: a whole download directory is not. */
const purgedFiles = 1000
/** Directories of one purge that are recorded, so that they can be restored; also FIFOs, sockets and devices. */
const purgedOthers = 10_000
/** PATH_MAX: no longer path can be given to open(2), or to `plumb restore`. */
const pathLimit = 4096
/** What is read once and held; more is read again when it is to be stored. */
const heldBytes = 1024 * 1024

async function keepReplaced(one: DisplacedPath, keeping: Keeping): Promise<FormerPath | undefined> {
  const { path, why, known, wanted, seen } = one
  const { replaced } = keeping.displacing.host.files
  const stat = replaced.stat(path)
  if (stat === undefined) return undefined
  const about = { path, isEscaped: false, stat }
  if (stat.type === 'symlink') {
    const target = replaced.readLink(path)
    if (target === undefined || known.has(target)) return { ...about, isStored: false, ...(target && { target }) }
    record(about, why, { type: 'symlink', target, uid: stat.uid, gid: stat.gid }, keeping)
    return { ...about, target, isStored: true }
  }
  if (stat.type !== 'file') return { ...about, isStored: false }
  const parts = (take: TakePart) => replaced.parts(path, take)
  return await keepFile({ ...about, why, known, wanted, parts, ...compact({ seen }) }, keeping)
}

type Source = Pick<FormerPath, 'path' | 'isEscaped' | 'stat'> &
  Pick<DisplacedPath, 'why' | 'known' | 'wanted' | 'seen'> & {
    readonly parts: (take: TakePart) => Promise<FileStat | undefined>
  }

async function keepFile(source: Source, keeping: Keeping): Promise<FormerPath> {
  const { path, isEscaped, why, known, wanted, stat: before, seen } = source
  if (before.size > archivedFileLimitBytes) {
    // Not hashed again only to be told from what the repository has.
    if (seen === undefined || !known.has(seen)) notKept(source, 'too-large', keeping)
    return { path, isEscaped, stat: before, ...compact({ sha256: seen }), isStored: false }
  }
  const read = await hashed(source)
  if (read === undefined) return { path, isEscaped, stat: before, isStored: false }
  const { stat, sha256 } = read
  const about = { path, isEscaped, stat, sha256 }
  const isKnown = known.has(sha256)
  if (isKnown && sha256 !== wanted) return { ...about, isStored: false }
  if (stat.size > keeping.left) {
    if (!isKnown) notKept(source, 'too-much', keeping)
    return { ...about, isStored: false }
  }
  const stored = await keeping.batch.add((take) =>
    read.held === undefined ? source.parts(take) : give(read.held, take),
  )
  keeping.left -= stored.size
  const { mode, uid, gid } = stat
  if (!isKnown) record(about, why, { type: 'file', ...stored, mode, uid, gid }, keeping)
  return { ...about, sha256: stored.sha256, isStored: true }
}

function notKept({ stat, why, ...about }: Source, reason: 'too-large' | 'too-much', keeping: Keeping): void {
  record(about, why, { type: 'not-kept', size: stat.size, files: 1, why: reason }, keeping)
}

async function hashed({ stat: { size }, parts }: Source) {
  const digest = createHash('sha256')
  const held: Buffer[] = []
  const stat = await parts((part) => {
    digest.update(part)
    if (size <= heldBytes) held.push(Buffer.from(part))
  })
  if (stat === undefined) return undefined
  return { stat, sha256: digest.digest('hex'), held: size <= heldBytes ? held : undefined }
}

async function give(parts: readonly Buffer[], take: (part: Uint8Array) => void): Promise<void> {
  for (const part of parts) take(part)
}

async function keepPurged(directory: AbsolutePath, keeping: Keeping): Promise<readonly FormerPath[]> {
  const kept: FormerPath[] = []
  const seen = { contents: 0, others: 0 }
  const beyond = { files: 0, size: 0 }
  await keeping.displacing.host.files.replaced.purged(directory, async (entry) => {
    const { type, size } = entry.stat
    if (type === 'file' || type === 'symlink') {
      seen.contents += 1
      if (seen.contents <= purgedFiles) kept.push(await keepTaken(shortened(entry), keeping))
      else {
        beyond.files += 1
        beyond.size += size
      }
    } else if (entry.path.length <= pathLimit && seen.others < purgedOthers) {
      seen.others += 1
      kept.push(await keepTaken(entry, keeping))
    }
  })
  if (beyond.files > 0)
    record({ path: directory, isEscaped: false }, 'purged', { type: 'not-kept', ...beyond, why: 'too-many' }, keeping)
  return kept
}

/** A path too long to be given to a command is recorded as one that leads nowhere, told apart by a digest. */
function shortened(entry: PurgedEntry): PurgedEntry {
  const { path } = entry
  if (Buffer.byteLength(path) < pathLimit) return entry
  const digest = hash('sha256', path, 'hex').slice(0, 16)
  return { ...entry, path: `${path.slice(0, 200)}...${digest}...${path.slice(-200)}`, isEscaped: true }
}

async function keepTaken(entry: PurgedEntry, keeping: Keeping): Promise<FormerPath> {
  const { path, isEscaped, stat } = entry
  const about = { path, isEscaped, stat }
  const target = entry.readLink()
  if (target !== undefined) {
    record(about, 'purged', { type: 'symlink', target, uid: stat.uid, gid: stat.gid }, keeping)
    return { ...about, target, isStored: true }
  }
  if (stat.type !== 'file') return { ...about, isStored: false }
  const source = { ...about, why: 'purged', known: new Set<string>(), wanted: undefined } as const
  return await keepFile({ ...source, parts: entry.parts }, keeping)
}

function record(
  { path, isEscaped }: Pick<FormerPath, 'path' | 'isEscaped'>,
  why: Archived['why'],
  was: Was,
  { displacing: { service, at }, displaced }: Keeping,
): void {
  displaced.push({ at, service, path, ...(isEscaped ? { isEscaped } : {}), why, was })
}
