// What an apply took on this host - paths where something was before, directories made on the way - by whom each is needed
// now, and what nobody needs any more. Pure.

import { type AbsolutePath, type ResourceId, resourceId, type ServiceName } from '../../shared/names.ts'
import { parentsOf } from '../../shared/places.ts'
import { claimsOf, type DesiredHost, type DesiredService, isOfKind } from '../../shared/resource.ts'
import type { Baselines } from '../state/baseline.ts'
import type { Subject } from './kind.ts'
import type { Taken } from './original.ts'
import { pathOf } from './paths.ts'

/** To be recorded on after success until another service, which takes it or sees to it, has been applied. */
export type HandedOver =
  | { readonly kind: 'path'; readonly path: AbsolutePath; readonly until: ServiceName }
  | { readonly kind: 'resource'; readonly id: ResourceId; readonly until: ServiceName }

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

export function takenPaths({ services }: DesiredHost, baselines: Baselines): ReadonlyMap<string, TakenPath> {
  const desired = new Set<string>(services.flatMap((service) => claimsOf(service).map(({ id }) => id)))
  const owned = ownedPaths(baselines, desired)
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

type Owned = Map<AbsolutePath, Pick<TakenPath, 'taken' | 'owners'>>

function ownedPaths(baselines: Baselines, desired: ReadonlySet<string>): Owned {
  const owned: Owned = new Map()
  const own = (path: AbsolutePath, taken: Taken, service: ServiceName) => {
    const known = owned.get(path)
    if (known === undefined) owned.set(path, { taken, owners: [service] })
    else owned.set(path, { taken: both(known.taken, taken), owners: [...new Set([...known.owners, service])] })
  }
  for (const { service, before } of baselines.values())
    for (const [path, taken] of before ?? []) own(path, taken, service)
  // A directory that is no longer desired for itself may be as one that was made on the way.
  for (const { service, resources, onRemove } of baselines.values())
    for (const id of onRemove === 'keep' ? [] : resources.keys())
      if (isOfKind(id, 'directory') && !desired.has(id))
        own(pathOf(id), { was: { type: 'missing' }, made: true }, service)
  return owned
}

/** Who came second found what the first one had made. */
function both(one: Taken, other: Taken): Taken {
  const { was } = one.was.type === 'missing' ? other : one
  return one.made === true || other.made === true ? { was, made: true } : { was }
}

/** A released path without a resource: a directory that the agent made, or what had to give way to something else. */
export function releasedSubject({ path, taken }: TakenPath, onRemove: 'delete' | 'restore'): Subject | undefined {
  const { was, made } = taken
  const returns = onRemove === 'restore' && was.type !== 'missing'
  if (made === true) return { ...madeSubject(path), ...(returns ? { original: was } : {}) }
  const kind = was.type
  if (!returns || (kind !== 'file' && kind !== 'symlink' && kind !== 'directory')) return undefined
  return { id: resourceId(kind, path), desired: undefined, baseline: undefined, original: was }
}

/** A directory that the agent made, and that is to go. */
export function madeSubject(path: AbsolutePath): Subject {
  return { id: resourceId('directory', path), desired: undefined, baseline: { attributes: { type: 'directory' } } }
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
