// What was at the paths of a service before its first apply, as its commit records it.
import { hash } from 'node:crypto'
import { type AbsolutePath, absolutePathSchema, resourceId, type Sha256, sha256Schema } from '../../shared/names.ts'
import { parentsOf } from '../../shared/places.ts'
import type { FileStat, SavedPath } from '../host/files.ts'
import { hashedBytes } from '../host/files-read.ts'
import type { HostReader } from '../host/host.ts'
import { ownership, pathInId } from '../resources/paths.ts'
import type { Original, Taken } from '../resources/removal/originals.ts'
import type { ServiceBaseline } from '../state/baseline.ts'
import { keptOriginals } from '../state/originals.ts'
import type { State } from '../state/state.ts'
import type { FormerPath, Kept } from './displaced.ts'

export type Recording = {
  /** Without what this apply adds to its `before`. */
  readonly record: Pick<ServiceBaseline, 'resources' | 'before'>
  readonly untaken: readonly AbsolutePath[]
  /** Directories that no apply has purged before: what this one took out of them was there before, too. */
  readonly firstPurged: readonly AbsolutePath[]
  /** What the journal of this apply saved. */
  readonly saved: readonly SavedPath[]
  readonly kept: Kept
  readonly host: HostReader
  readonly state: State
}

/** One original, and all of them together; that another one was not kept is told when it would be put back. */
const originalLimitBytes = 64 * 1024 * 1024
const originalsLimitBytes = 128 * 1024 * 1024

export function beforeOf(recording: Recording): Promise<Map<AbsolutePath, Taken>> {
  return recording.host.files.pass(async () => {
    const { record, untaken, firstPurged, kept } = recording
    const before = new Map<AbsolutePath, Taken>(record.before)
    const context: Context = { ...recording, room: roomIn(recording.state), names: ownership(recording.host) }
    for (const [path, taken] of before) before.set(path, stillKept(taken, kept.former.get(path), context))
    for (const path of untaken) {
      const was = await originalAt(path, context)
      if (was !== undefined) before.set(path, { was })
    }
    // In a directory that was not there before, nothing was.
    const purged = firstPurged.filter((path) => before.get(path)?.was.type === 'directory')
    for (const entry of purged.flatMap((path) => kept.purged.get(path) ?? [])) {
      const path = entry.isEscaped ? undefined : absolutePathSchema.parse(entry.path)
      if (path === undefined || before.has(path)) continue
      const was = await originalOf(entry.stat, entry, context)
      if (was !== undefined) before.set(path, { was })
    }
    for (const path of madeDirectories(recording))
      before.set(path, { was: before.get(path)?.was ?? { type: 'missing' }, made: true })
    return before
  })
}

type Context = Recording & {
  readonly room: { bytes: number }
  readonly names: ReturnType<typeof ownership>
}

function roomIn({ baselines }: State): { bytes: number } {
  const sizes = [...keptOriginals(baselines.read().baselines).values()]
  return { bytes: originalsLimitBytes - sizes.reduce((sum, size) => sum + size, 0) }
}

/** Where it was live until now, it is what this apply replaced, or somebody else had replaced it. */
function stillKept(taken: Taken, former: FormerPath | undefined, { room }: Context): Taken {
  const { was } = taken
  if (was.type !== 'file' || was.kept !== 'live' || former === undefined) return taken
  const isStored = former.isStored && former.sha256 === was.sha256
  return { ...taken, was: { ...was, kept: isStored && hasRoom(was.size, room) ? 'yes' : 'no' } }
}

/** Undefined: nothing was there. What was replaced is known by its content, and else is there still. */
async function originalAt(path: AbsolutePath, context: Context): Promise<Original | undefined> {
  const { saved, kept, host } = context
  const was = saved.find((one) => one.path === path)?.was ?? host.files.stat(path)
  if (was === undefined || was.type === 'missing') return undefined
  return originalOf(was, kept.former.get(path) ?? stillThere(path, context), context)
}

type Content = Pick<FormerPath, 'sha256' | 'target' | 'isStored'> & { readonly stat: Pick<FileStat, 'size'> }

function stillThere(path: AbsolutePath, { record, host }: Context): Content | undefined {
  const stat = host.files.stat(path)
  const content = sha256Schema.safeParse(record.resources.get(resourceId('file', path))?.attributes['content'])
  const target = host.files.readLink(path)
  if (stat === undefined) return undefined
  return { stat, isStored: false, ...(content.success ? { sha256: content.data } : {}), ...(target && { target }) }
}

type Metadata = Pick<FileStat, 'type' | 'mode' | 'uid' | 'gid'>

async function originalOf(
  { type, mode, uid, gid }: Metadata,
  content: Content | undefined,
  context: Context,
): Promise<Original | undefined> {
  switch (type) {
    case 'directory':
      return { type, mode, uid, gid, ...(await context.names.of({ uid, gid })) }
    case 'symlink':
      return content?.target === undefined ? undefined : { type, target: content.target, uid, gid }
    case 'file': {
      const sha256 = digestOf(content)
      if (content === undefined || sha256 === undefined) return undefined
      const { size } = content.stat
      const kept = keptAs(content, sha256, context)
      return { type, sha256, size, kept, mode, uid, gid, ...(await context.names.of({ uid, gid })) }
    }
    case 'fifo':
    case 'socket':
    case 'device':
      return { type }
  }
}

/** Of what is too large to be hashed, a digest that no content has: that it was there, and was not kept, is known all the same. */
function digestOf(content: Content | undefined): Sha256 | undefined {
  if (content?.sha256 === undefined) return undefined
  const sha256 = sha256Schema.safeParse(content.sha256)
  if (sha256.success) return sha256.data
  return content.stat.size > hashedBytes ? sha256Schema.parse(hash('sha256', content.sha256, 'hex')) : undefined
}

/** What the repository brings, too, stays live until another revision replaces it. */
function keptAs({ stat, isStored }: Content, sha256: Sha256, { record, room }: Context): 'yes' | 'live' | 'no' {
  if (isStored) return hasRoom(stat.size, room) ? 'yes' : 'no'
  const isLive = [...record.resources.values()].some(({ attributes }) => attributes['content'] === sha256)
  return isLive ? 'live' : 'no'
}

function hasRoom(size: number, room: { bytes: number }): boolean {
  if (size > originalLimitBytes || size > room.bytes) return false
  room.bytes -= size
  return true
}

/** Missing parents of what this service has. One that is reached through a link is not known by this name, and stays. */
function madeDirectories({ record, saved, host }: Recording): readonly AbsolutePath[] {
  const own = new Set([...record.resources.keys()].flatMap((id) => pathInId(id) ?? []))
  const above = new Set([...own].flatMap(parentsOf))
  const made = new Set(saved.flatMap(({ missingParents }) => missingParents))
  return [...made]
    .filter((path) => above.has(path) && !own.has(path))
    .map((path) => absolutePathSchema.parse(path))
    .filter((path) => host.files.stat(path)?.type === 'directory')
}
