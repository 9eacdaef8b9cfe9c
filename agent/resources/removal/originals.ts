// What was at a path before the first apply: recorded then, and put back when the path leaves a service that says `onRemove: restore`.
// Here is who still needs such a path now, and whether what was there can be had again. Pure, with plain arguments.
import { z } from 'zod'
import { type AbsolutePath, resourceId, type ServiceName, sha256Schema } from '../../../shared/names.ts'
import { parentsOf } from '../../../shared/places.ts'
import { claimsOf, type DesiredService } from '../../../shared/resource.ts'

const ownerSchema = {
  uid: z.number(),
  gid: z.number(),
  /** Names, for people and for comparing. */
  owner: z.string().exactOptional(),
  group: z.string().exactOptional(),
}

const originalSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('missing') }),
  z.object({
    type: z.literal('file'),
    sha256: sha256Schema,
    size: z.number(),
    /** In the object store; or it is what the path still has; or neither, since it was too large. */
    kept: z.enum(['yes', 'live', 'no']),
    mode: z.number(),
    ...ownerSchema,
  }),
  z.object({ type: z.literal('symlink'), target: z.string(), ...ownerSchema }),
  z.object({ type: z.literal('directory'), mode: z.number(), ...ownerSchema }),
  z.object({ type: z.enum(['fifo', 'socket', 'device']) }),
])

/** `made`: the agent made the directory that is there now, as a missing parent. */
export const takenSchema = z.object({ was: originalSchema, made: z.literal(true).exactOptional() })

export type Original = Readonly<z.infer<typeof originalSchema>>
export type Taken = Readonly<z.infer<typeof takenSchema>>
/** What was at each path that an apply took, where it matters: nothing was there and a resource is now, is not in it. */
export type Before = ReadonlyMap<AbsolutePath, Taken>

/** What was applied before, of one service. */
export type AppliedPaths = {
  readonly service: ServiceName
  readonly before: Before
  /** Applied for themselves, and to go when nothing needs them: empty where `onRemove: keep` says that they stay. */
  readonly directories: readonly AbsolutePath[]
}

export type TakenPath = {
  readonly path: AbsolutePath
  readonly taken: Taken
  /** Services whose baseline has it; usually one. */
  readonly owners: readonly ServiceName[]
  /** Who needs it: it is a path of theirs, above one, or where none could be. Undefined: it is released. */
  readonly holder: ServiceName | undefined
  /** There is something below it that a service desires. */
  readonly isAbove: boolean
  /** It is needed, but a directory that was made there is not. */
  readonly isBlocked: boolean
}

/** Paths where something was before, and directories made on the way: by whom each is needed now. */
export function takenPaths(
  services: readonly DesiredService[],
  applied: readonly AppliedPaths[],
): ReadonlyMap<string, TakenPath> {
  const desired = new Set<string>(services.flatMap((service) => claimsOf(service).map(({ id }) => id)))
  const owned = ownedPaths(applied, desired)
  if (owned.size === 0) return new Map()
  const needed = neededBy(services, owned)
  return new Map(
    [...owned].map(([path, { taken, owners }]) => {
      const needers = needed.by.get(path) ?? []
      const holder = needers.find((service) => owners.includes(service)) ?? needers[0]
      const isAbove = needed.above.has(path)
      const isBlocked = holder !== undefined && !isAbove && !desired.has(resourceId('directory', path))
      return [path, { path, taken, owners, holder, isAbove, isBlocked }] as const
    }),
  )
}

/** A path that leaves, as far as its return is concerned; a `ResourceChange` is one. */
export type LeavingPath = {
  readonly desired: unknown
  readonly original?: Original
  readonly live: { readonly attributes: Readonly<Record<string, string>> }
}

/** False: it is to be removed, because nothing was there before, or what was there cannot be had again. */
export function isReturning({ desired, original, live }: LeavingPath): boolean {
  return desired === undefined && original !== undefined && isRestorable(original, live.attributes['content'])
}

/** `liveContent`: the hash of the file that is there now. */
export function isRestorable(original: Original, liveContent: string | undefined): boolean {
  switch (original.type) {
    case 'file':
      return original.kept === 'yes' || (original.kept === 'live' && liveContent === original.sha256)
    case 'symlink':
    case 'directory':
      return true
    case 'missing':
    case 'fifo':
    case 'socket':
    case 'device':
      return false
  }
}

/** The hash or target of what was there; what an undo takes for our own when it was put back. */
export function contentOf(original: Original | undefined): string | undefined {
  if (original?.type === 'file') return original.sha256
  return original?.type === 'symlink' ? original.target : undefined
}

/** Of a file of which the content is not in the store yet, and is to be there before it is replaced. */
export function contentToKeep(original: Original | undefined): string | undefined {
  return original?.type === 'file' && original.kept === 'live' ? original.sha256 : undefined
}

type Owned = Map<AbsolutePath, Pick<TakenPath, 'taken' | 'owners'>>

function ownedPaths(applied: readonly AppliedPaths[], desired: ReadonlySet<string>): Owned {
  const owned: Owned = new Map()
  const own = (path: AbsolutePath, taken: Taken, service: ServiceName) => {
    const known = owned.get(path)
    if (known === undefined) owned.set(path, { taken, owners: [service] })
    else owned.set(path, { taken: both(known.taken, taken), owners: [...new Set([...known.owners, service])] })
  }
  for (const { service, before } of applied) for (const [path, taken] of before) own(path, taken, service)
  // A directory that is no longer desired for itself may be as one that was made on the way.
  for (const { service, directories } of applied)
    for (const path of directories)
      if (!desired.has(resourceId('directory', path))) own(path, { was: { type: 'missing' }, made: true }, service)
  return owned
}

/** Who came second found what the first one had made. */
function both(one: Taken, other: Taken): Taken {
  const { was } = one.was.type === 'missing' ? other : one
  return one.made === true || other.made === true ? { was, made: true } : { was }
}

type Needed = {
  /** In the order of the services. */
  readonly by: ReadonlyMap<string, readonly ServiceName[]>
  readonly above: ReadonlySet<string>
}

function neededBy(services: readonly DesiredService[], owned: ReadonlyMap<string, unknown>): Needed {
  const needed = new Map<string, ServiceName[]>()
  const closed = new Map<string, ServiceName>()
  const above = new Set<string>()
  const need = (path: string, service: ServiceName) => {
    const needers = needed.get(path)
    if (needers === undefined) needed.set(path, [service])
    else if (!needers.includes(service)) needers.push(service)
  }
  for (const service of services)
    for (const claim of claimsOf(service)) {
      if (!('path' in claim)) continue
      const { name } = service
      const { path } = claim
      if (!('kind' in claim) || claim.kind !== 'directory' || claim.purge) closed.set(path, name)
      if (owned.has(path)) need(path, name)
      for (const parent of parentsOf(path).filter((one) => owned.has(one))) {
        need(parent, name)
        above.add(parent)
      }
    }
  // Below a file, a link or a purged directory nothing can be put back.
  for (const path of owned.keys())
    for (const parent of parentsOf(path)) {
      const service = closed.get(parent)
      if (service !== undefined) need(path, service)
    }
  return { by: needed, above }
}
