// What there is to look at on a host: for each service its desired resources, and those it was last applied with and no longer has.
import { type AbsolutePath, type ResourceId, resourceId, type ServiceName } from '../../shared/names.ts'
import { triggerOfChange } from '../../shared/repository/changed-unit.ts'
import { quadletAt } from '../../shared/repository/quadlet.ts'
import {
  claimsOf,
  type DesiredHost,
  type DesiredService,
  isOfKind,
  type Resource,
  type UnitTrigger,
  type WithheldResource,
} from '../../shared/resource.ts'
import { type Memory, slotByObject } from '../memory.ts'
import type { Baselines, ServiceBaseline } from '../state/baseline.ts'
import { clearedFirst } from './in-the-way.ts'
import type { BaselineResource, Subject } from './kind.ts'
import { pathInId, pathOf } from './paths.ts'
import { type HandedOver, type Own, withRemovals } from './removal/leaving.ts'
import { type AppliedPaths, type Before, type TakenPath, takenPaths } from './removal/originals.ts'

export type ServiceSubjects = {
  readonly service: ServiceName
  /** Undefined: the service left the repository, or this host. */
  readonly desired: DesiredService | undefined
  readonly baseline: ServiceBaseline | undefined
  readonly subjects: readonly Subject[]
  /** Known already of what was there before, and to be recorded on. */
  readonly before: Before
  readonly handedOver: readonly HandedOver[]
  /** Of those that another service has from now on, what is to be recorded here on. */
  readonly moved: readonly ResourceId[]
  /** Paths that no apply has taken yet: what is there now is what was there before. */
  readonly untaken: readonly AbsolutePath[]
}

/**
 * Services that left come first: what takes their place may need their ports and paths. Worked out once for the same two objects:
 * a look asks twice, and in a host at rest every look asks the same.
 */
export function subjectsOf(desiredHost: DesiredHost, baselines: Baselines, memory: Memory): readonly ServiceSubjects[] {
  const latest = memory.at(latestSubjects)
  const known = latest.get(desiredHost)
  if (known?.baselines === baselines) return known.subjects
  const subjects = workedOut(desiredHost, baselines)
  latest.set(desiredHost, { baselines, subjects })
  return subjects
}

type WorkedOut = { readonly baselines: Baselines; readonly subjects: readonly ServiceSubjects[] }

const latestSubjects = slotByObject<DesiredHost, WorkedOut>()

function workedOut(desiredHost: DesiredHost, baselines: Baselines): readonly ServiceSubjects[] {
  const { services } = desiredHost
  const host: HostView = {
    applied: appliedResources(baselines),
    claimed: claimedBy(services),
    taken: takenPaths(services, [...baselines.values()].map(appliedPaths)),
  }
  const present = new Set(services.map(({ name }) => name))
  const left = [...baselines.values()].filter(({ service }) => !present.has(service))
  const all = [
    ...left.map((baseline) => leftService(baseline, host)),
    ...services.map((desired) => presentService(desired, baselines.get(desired.name), host)),
  ]
  return withRemovals(clearedFirst(all), host.taken).map(({ cleared, ...service }) => {
    const moved = [...cleared, ...movedResources(service.baseline, service.desired, { baselines, host })]
    return { ...service, handedOver: [...service.handedOver, ...moved], moved: moved.map(({ id }) => id) }
  })
}

/** Units that are no subjects, but may be told to reload or restart. */
export function triggeredUnits(services: readonly ServiceSubjects[]): readonly Subject[] {
  const known = new Set(services.flatMap(({ subjects }) => subjects.map(({ id }) => id)))
  const actions = services.flatMap(({ desired, subjects }) => [
    ...(desired?.triggers ?? []).flatMap(({ action }) => (action.kind === 'run' ? [] : [action])),
    ...subjects.flatMap((subject) => triggersOnLeaving(subject)),
  ])
  const ids = new Set(actions.map(({ unit }) => resourceId('unit', unit)))
  return [...ids].filter((id) => !known.has(id)).map((id) => ({ id, desired: undefined, baseline: undefined }))
}

/**
 * A file that is gone is a change like any other to the units that read it. The service of a network or volume goes with it: there is
 * nothing to restart.
 */
export function triggersOnLeaving({ id, desired, baseline, original, overrides }: Subject): readonly UnitTrigger[] {
  if (overrides !== undefined) {
    const action = triggerOfChange(overrides.unit)
    return action === undefined ? [] : [action]
  }
  if (desired !== undefined) return []
  const path = pathInId(id)
  const quadlet = path === undefined || original !== undefined ? undefined : quadletAt(path)
  const isWholeObject = quadlet?.main === path && (quadlet?.kind === 'network' || quadlet?.kind === 'volume')
  return (baseline?.triggers ?? []).filter(({ unit }) => !(isWholeObject && unit === quadlet?.usualService))
}

type HostView = {
  readonly applied: Applied
  /** Ids and paths that some service of the host desires. */
  readonly claimed: ReadonlyMap<string, ServiceName>
  readonly taken: ReadonlyMap<string, TakenPath>
}

type Applied = {
  readonly resources: ReadonlyMap<ResourceId, BaselineResource>
  readonly paths: ReadonlySet<string>
}

type OwnSubjects = Own & Pick<ServiceSubjects, 'untaken'>

function leftService(baseline: ServiceBaseline, host: HostView): OwnSubjects {
  const subjects = leftSubjects(baseline, baseline.onRemove, host)
  return { service: baseline.service, desired: undefined, baseline, subjects, untaken: [] }
}

function presentService(desired: DesiredService, baseline: ServiceBaseline | undefined, host: HostView): OwnSubjects {
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

function appliedPaths({ service, before = new Map(), onRemove, resources }: ServiceBaseline): AppliedPaths {
  const ids = onRemove === 'keep' ? [] : [...resources.keys()].filter((id) => isOfKind(id, 'directory'))
  return { service, before, directories: ids.map(pathOf) }
}

function appliedResources(baselines: Baselines): Applied {
  const resources = new Map([...baselines.values()].flatMap((baseline) => [...baseline.resources]))
  return { resources, paths: new Set([...resources.keys()].flatMap((id) => pathInId(id) ?? [])) }
}

function claimedBy(services: readonly DesiredService[]): ReadonlyMap<string, ServiceName> {
  return new Map(
    services.flatMap((service) =>
      claimsOf(service).flatMap((claim) => [claim.id, ...pathsOf(claim)].map((key) => [key, service.name] as const)),
    ),
  )
}

function pathsOf(resource: Resource | WithheldResource): readonly AbsolutePath[] {
  return 'path' in resource ? [resource.path] : []
}

/** Not removed: what another service has now, and a path that a link or a file replaces by itself. */
function leftSubjects(
  { resources }: ServiceBaseline,
  onRemove: ServiceBaseline['onRemove'],
  host: HostView,
): readonly Subject[] {
  const { claimed, taken } = host
  if (onRemove === 'keep') return []
  return [...resources]
    .filter(([id]) => !claimed.has(id) && !isTakenOver(id, claimed) && !isStillNeeded(id, host))
    .map(([id, baseline]) => {
      const known = taken.get(pathInId(id) ?? '')
      const returns = onRemove === 'restore' && known !== undefined && known.holder === undefined
      return { id, desired: undefined, baseline, ...(returns ? { original: known.taken.was } : {}) }
    })
}

/** A directory above something that is desired stays, and is known as one that was made on the way to that. */
function isStillNeeded(id: ResourceId, { claimed, taken }: HostView): boolean {
  const path = pathInId(id)
  return isOfKind(id, 'directory') && path !== undefined && !claimed.has(path) && taken.get(path)?.isAbove === true
}

/** A directory is not replaced by a rename, nor by a directory: only these have to be removed first. */
function isTakenOver(id: ResourceId, claimed: HostView['claimed']): boolean {
  const path = pathInId(id)
  if (path === undefined || !claimed.has(path)) return false
  return !isOfKind(id, 'directory') && !claimed.has(resourceId('directory', path))
}

type Moving = { readonly baselines: Baselines; readonly host: HostView }

/** So that a resource is not forgotten when the service that it moves to fails at first. */
function movedResources(
  baseline: ServiceBaseline | undefined,
  desired: DesiredService | undefined,
  { baselines, host: { claimed } }: Moving,
) {
  const own = new Set(desired?.resources.map(({ id }) => id))
  return [...(baseline?.resources.keys() ?? [])].flatMap((id) => {
    const path = pathInId(id) ?? ''
    const until = claimed.get(id) ?? claimed.get(path)
    const moves = claimed.has(id) || isTakenOver(id, claimed)
    if (own.has(id) || !moves || until === undefined || until === baseline?.service) return []
    const others = baselines.get(until)?.resources
    const hasIt = pathKinds.some((kind) => others?.has(resourceId(kind, path))) || others?.has(id) === true
    return hasIt ? [] : [{ kind: 'resource' as const, id, until }]
  })
}

const pathKinds = ['file', 'symlink', 'directory'] as const
