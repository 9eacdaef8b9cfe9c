// What an apply took on this host - paths where something was before, directories made on the way - by whom each is needed
// now, and what nobody needs any more. Pure.
import { type AbsolutePath, resourceId, type ServiceName } from '../../shared/names.ts'
import type { DesiredHost, DesiredService } from '../../shared/resource.ts'
import type { Baselines } from '../state/baseline.ts'
import type { Subject } from './kind.ts'
import type { Taken } from './original.ts'

/** To be recorded on after success until another service, which takes it or sees to it, has been applied. */
export type Held = { readonly path: AbsolutePath; readonly until: ServiceName }

export type TakenPath = {
  readonly path: AbsolutePath
  readonly taken: Taken
  /** Services whose baseline has it; usually one. */
  readonly owners: readonly ServiceName[]
  /** Who needs it: it is a path of theirs, above one, or where none could be. Undefined: it is released. */
  readonly holder: ServiceName | undefined
}

export function takenPaths({ services }: DesiredHost, baselines: Baselines): ReadonlyMap<string, TakenPath> {
  const owned = new Map<AbsolutePath, { readonly taken: Taken; readonly owners: ServiceName[] }>()
  for (const { service, before } of baselines.values())
    for (const [path, taken] of before ?? []) {
      const known = owned.get(path)
      if (known === undefined) owned.set(path, { taken, owners: [service] })
      else known.owners.push(service)
    }
  if (owned.size === 0) return new Map()
  const needed = neededBy(services, owned)
  return new Map(
    [...owned].map(([path, { taken, owners }]) => {
      const needers = needed.get(path) ?? []
      const holder = needers.find((service) => owners.includes(service)) ?? needers[0]
      return [path, { path, taken, owners, holder }] as const
    }),
  )
}

/** A released path without a resource: a directory that the agent made, or what had to give way to something else. */
export function releasedSubject({ path, taken }: TakenPath, onRemove: 'delete' | 'restore'): Subject | undefined {
  const { was, made } = taken
  const returns = onRemove === 'restore' && was.type !== 'missing'
  if (made === true) {
    const baseline = { attributes: { type: 'directory' } }
    return { id: resourceId('directory', path), desired: undefined, baseline, ...(returns ? { original: was } : {}) }
  }
  const kind = was.type
  if (!returns || (kind !== 'file' && kind !== 'symlink' && kind !== 'directory')) return undefined
  return { id: resourceId(kind, path), desired: undefined, baseline: undefined, original: was }
}

/** From the root down, the path itself not among them. */
export function parentsOf(path: string): readonly string[] {
  const parents: string[] = []
  for (let end = path.indexOf('/', 1); end > 0; end = path.indexOf('/', end + 1)) parents.push(path.slice(0, end))
  return parents
}

/** In the order of the services. */
function neededBy(
  services: readonly DesiredService[],
  owned: ReadonlyMap<string, unknown>,
): ReadonlyMap<string, readonly ServiceName[]> {
  const needed = new Map<string, ServiceName[]>()
  const closed = new Map<string, ServiceName>()
  const need = (path: string, service: ServiceName) => {
    const needers = needed.get(path)
    if (needers === undefined) needed.set(path, [service])
    else if (!needers.includes(service)) needers.push(service)
  }
  for (const { name, resources } of services)
    for (const resource of resources) {
      if (!('path' in resource)) continue
      const { path } = resource
      if (resource.kind !== 'directory' || resource.purge) closed.set(path, name)
      for (const one of [path, ...parentsOf(path)]) if (owned.has(one)) need(one, name)
    }
  // Below a file, a link or a purged directory nothing can be put back.
  for (const path of owned.keys())
    for (const parent of parentsOf(path)) {
      const service = closed.get(parent)
      if (service !== undefined) need(path, service)
    }
  return needed
}
