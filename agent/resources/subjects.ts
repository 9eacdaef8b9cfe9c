// What there is to look at on a host: for each service its desired resources, and those it was last applied with and no longer has.
import type { AbsolutePath, ResourceId, ServiceName } from '../../shared/names.ts'
import type { DesiredHost, DesiredService, Resource } from '../../shared/resource.ts'
import type { Baselines, ServiceBaseline } from '../state/baseline.ts'
import type { BaselineResource, Subject } from './kind.ts'
import type { Before, Taken } from './original.ts'
import { pathOf } from './paths.ts'
import { type Held, parentsOf, releasedSubject, type TakenPath, takenPaths } from './released.ts'

export type ServiceSubjects = {
  readonly service: ServiceName
  /** Undefined: the service left the repository, or this host. */
  readonly desired: DesiredService | undefined
  readonly baseline: ServiceBaseline | undefined
  readonly subjects: readonly Subject[]
  /** Known already of what was there before, and to be recorded on. */
  readonly before: Before
  readonly held: readonly Held[]
  /** Paths that no apply has taken yet: what is there now is what was there before. */
  readonly untaken: readonly AbsolutePath[]
}

/** Services that left come first: what takes their place may need their ports and paths. */
export function subjectsOf(desiredHost: DesiredHost, baselines: Baselines): readonly ServiceSubjects[] {
  const { services } = desiredHost
  const host: HostView = {
    applied: appliedResources(baselines),
    claimed: claimedBy(services),
    taken: takenPaths(desiredHost, baselines),
  }
  const present = new Set(services.map(({ name }) => name))
  const left = [...baselines.values()].filter(({ service }) => !present.has(service))
  const all = [
    ...left.map((baseline) => leftService(baseline, host)),
    ...services.map((desired) => presentService(desired, baselines.get(desired.name), host)),
  ]
  return withReleased(all, host)
}

/** Path of a file, symlink or directory resource. */
export function pathInId(id: ResourceId): string | undefined {
  return /^(?:file|symlink|directory):(?<path>.*)$/s.exec(id)?.groups?.['path']
}

type HostView = {
  readonly applied: Applied
  /** Ids and paths that some service of the host desires. */
  readonly claimed: ReadonlySet<string>
  readonly taken: ReadonlyMap<string, TakenPath>
}

type Applied = {
  readonly resources: ReadonlyMap<ResourceId, BaselineResource>
  readonly paths: ReadonlySet<string>
}

type Own = Pick<ServiceSubjects, 'service' | 'desired' | 'baseline' | 'subjects' | 'untaken'>

function leftService(baseline: ServiceBaseline, host: HostView): Own {
  const subjects = leftSubjects(baseline, baseline.onRemove, host)
  return { service: baseline.service, desired: undefined, baseline, subjects, untaken: [] }
}

function presentService(desired: DesiredService, baseline: ServiceBaseline | undefined, host: HostView): Own {
  const { applied, taken } = host
  const own = desired.resources.map((resource) => ({
    id: resource.id,
    desired: resource,
    // A resource that moved here from another service was applied as that one's.
    baseline: baseline?.resources.get(resource.id) ?? applied.resources.get(resource.id),
  }))
  const gone = baseline === undefined ? [] : leftSubjects(baseline, desired.onRemove, host)
  const untaken = desired.resources.flatMap(pathsOf).filter((path) => !applied.paths.has(path) && !taken.has(path))
  return { service: desired.name, desired, baseline, subjects: [...own, ...gone], untaken }
}

function appliedResources(baselines: Baselines): Applied {
  const resources = new Map([...baselines.values()].flatMap((baseline) => [...baseline.resources]))
  return { resources, paths: new Set([...resources.keys()].flatMap((id) => pathInId(id) ?? [])) }
}

function claimedBy(services: readonly DesiredService[]): ReadonlySet<string> {
  const resources = services.flatMap((service) => service.resources)
  return new Set(resources.flatMap((resource) => [resource.id, ...pathsOf(resource)]))
}

function pathsOf(resource: Resource): readonly AbsolutePath[] {
  return 'path' in resource ? [resource.path] : []
}

/** Not removed: what another service has now, and a path that a link or a file replaces by itself. */
function leftSubjects(
  { resources }: ServiceBaseline,
  onRemove: ServiceBaseline['onRemove'],
  { claimed, taken }: HostView,
): readonly Subject[] {
  if (onRemove === 'keep') return []
  return [...resources]
    .filter(([id]) => !claimed.has(id) && !isTakenOver(id, claimed))
    .map(([id, baseline]) => {
      const known = taken.get(pathInId(id) ?? '')
      const returns = onRemove === 'restore' && known !== undefined && known.holder === undefined
      return { id, desired: undefined, baseline, ...(returns ? { original: known.taken.was } : {}) }
    })
}

/** A directory is not replaced by a rename, nor by a directory: only these have to be removed first. */
function isTakenOver(id: ResourceId, claimed: ReadonlySet<string>): boolean {
  const path = pathInId(id)
  if (path === undefined || !claimed.has(path)) return false
  return !id.startsWith('directory:') && !claimed.has(`directory:${path}`)
}

/** A directory that leaves, and what no resource stands for, is seen to by the last service that still removes something below it. */
function withReleased(all: readonly Own[], { taken }: HostView): readonly ServiceSubjects[] {
  const order = orderOf(all)
  const released = deepestFirst([...taken.values()].filter(({ holder }) => holder === undefined)).flatMap((path) =>
    releasedBy(path, all, order),
  )
  const moved = all.flatMap(({ service, subjects }) => subjects.flatMap((subject) => movedBy(subject, service, order)))
  return all.map((own) => {
    const leaves = new Set(moved.filter(({ from }) => from === own.service).map(({ subject }) => subject))
    const comes = [...moved, ...released].filter(({ by }) => by === own.service).flatMap(({ subject }) => subject ?? [])
    const subjects = [...own.subjects.filter((subject) => !leaves.has(subject)), ...comes]
    return { ...own, subjects, ...recordedBy(own.service, { taken, released, moved }) }
  })
}

type Order = {
  readonly services: readonly ServiceName[]
  readonly leavingAt: ReadonlyMap<string, ServiceName>
  /** Position of the last service that removes something below a path. */
  readonly lastBelow: Map<string, number>
}

function orderOf(all: readonly Own[]): Order {
  const leavingAt = new Map<string, ServiceName>()
  const lastBelow = new Map<string, number>()
  for (const [position, { service, subjects }] of all.entries())
    for (const { id, desired } of subjects) {
      const path = desired === undefined ? pathInId(id) : undefined
      if (path === undefined) continue
      leavingAt.set(path, service)
      countBelow(path, position, lastBelow)
    }
  return { services: all.map(({ service }) => service), leavingAt, lastBelow }
}

function countBelow(path: string, position: number, lastBelow: Map<string, number>): void {
  for (const parent of parentsOf(path)) lastBelow.set(parent, Math.max(lastBelow.get(parent) ?? 0, position))
}

function deepestFirst(paths: readonly TakenPath[]): readonly TakenPath[] {
  return paths.toSorted((one, other) => other.path.length - one.path.length)
}

type Released = { readonly path: AbsolutePath; readonly by: ServiceName; readonly subject: Subject | undefined }

function releasedBy({ path, ...known }: TakenPath, all: readonly Own[], order: Order): readonly Released[] {
  const [owner] = known.owners
  if (owner === undefined) return []
  const resourceOf = order.leavingAt.get(path)
  if (resourceOf !== undefined) return [{ path, by: resourceOf, subject: undefined }]
  const service = all.find((one) => one.service === owner)
  const onRemove = service?.desired?.onRemove ?? service?.baseline?.onRemove ?? 'delete'
  const subject = onRemove === 'keep' ? undefined : releasedSubject({ path, ...known }, onRemove)
  if (subject === undefined) return [{ path, by: owner, subject }]
  const position = Math.max(order.services.indexOf(owner), order.lastBelow.get(path) ?? 0)
  countBelow(path, position, order.lastBelow)
  return [{ path, by: order.services[position] ?? owner, subject }]
}

type Moved = { readonly from: ServiceName; readonly by: ServiceName; readonly subject: Subject }

function movedBy(subject: Subject, from: ServiceName, { services, lastBelow }: Order): readonly Moved[] {
  const { id, desired } = subject
  if (desired !== undefined || !id.startsWith('directory:')) return []
  const position = lastBelow.get(pathInId(id) ?? '') ?? 0
  const by = services[position]
  return by === undefined || position <= services.indexOf(from) ? [] : [{ from, by, subject }]
}

type Recording = {
  readonly taken: ReadonlyMap<string, TakenPath>
  readonly released: readonly Released[]
  readonly moved: readonly Moved[]
}

function recordedBy(
  service: ServiceName,
  { taken, released, moved }: Recording,
): Pick<ServiceSubjects, 'before' | 'held'> {
  const by = new Map<string, ServiceName>(released.map((one) => [one.path, one.by]))
  for (const one of moved) by.set(pathInId(one.subject.id) ?? '', one.by)
  const before = new Map<AbsolutePath, Taken>()
  const held: Held[] = []
  for (const { path, taken: known, owners, holder } of taken.values()) {
    const next = holder ?? by.get(path)
    if (holder === service) before.set(path, known)
    else if (owners.includes(service) && next !== undefined && next !== service && !owners.includes(next)) {
      before.set(path, known)
      held.push({ path, until: next })
    }
  }
  // So that it is still known as ours when the service that is to remove it fails.
  for (const { from, by: until, subject } of moved) {
    const path = pathOf(subject.id)
    if (from !== service || before.has(path)) continue
    before.set(path, { was: { type: 'missing' }, made: true })
    held.push({ path, until })
  }
  return { before, held }
}
