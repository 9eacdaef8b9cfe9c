// What there is to look at on a host: for each service its desired resources, and those it was last applied with and no longer has.
import { type ResourceId, resourceId, type ServiceName } from '../../shared/names.ts'
import type { DesiredHost, DesiredService, Resource, UnitTrigger } from '../../shared/resource.ts'
import type { Baselines, ServiceBaseline } from '../state/baseline.ts'
import type { BaselineResource, Subject } from './kind.ts'

export type ServiceSubjects = {
  readonly service: ServiceName
  /** Undefined: the service left the repository, or this host. */
  readonly desired: DesiredService | undefined
  readonly baseline: ServiceBaseline | undefined
  readonly subjects: readonly Subject[]
}

/** Services that left come first: what takes their place may need their ports and paths. */
export function subjectsOf({ services }: DesiredHost, baselines: Baselines): readonly ServiceSubjects[] {
  const host = {
    applied: appliedResources(baselines),
    claimed: claimedBy(services),
  }
  const present = new Set(services.map(({ name }) => name))
  const left = [...baselines.values()].filter(({ service }) => !present.has(service))
  return [
    ...left.map((baseline) => ({
      service: baseline.service,
      desired: undefined,
      baseline,
      subjects: leftSubjects(baseline, baseline.onRemove, host),
    })),
    ...services.map((desired) => {
      const baseline = baselines.get(desired.name)
      const own = desired.resources.map((resource) => ({
        id: resource.id,
        desired: resource,
        // A resource that moved here from another service was applied as that one's.
        baseline: baseline?.resources.get(resource.id) ?? host.applied.get(resource.id),
      }))
      const gone = baseline === undefined ? [] : leftSubjects(baseline, desired.onRemove, host)
      return { service: desired.name, desired, baseline, subjects: [...own, ...gone] }
    }),
  ]
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

/** A file that is gone is a change like any other to the unit that read it. */
export function triggersOnLeaving({ desired, baseline }: Subject): readonly UnitTrigger[] {
  return desired === undefined ? (baseline?.triggers ?? []) : []
}

/** Path of a file, symlink or directory resource. */
export function pathInId(id: ResourceId): string | undefined {
  return /^(?:file|symlink|directory):(?<path>.*)$/s.exec(id)?.groups?.['path']
}

type HostView = {
  readonly applied: ReadonlyMap<ResourceId, BaselineResource>
  /** Ids and paths that some service of the host desires. */
  readonly claimed: ReadonlySet<string>
}

function appliedResources(baselines: Baselines): ReadonlyMap<ResourceId, BaselineResource> {
  return new Map([...baselines.values()].flatMap(({ resources }) => [...resources]))
}

function claimedBy(services: readonly DesiredService[]): ReadonlySet<string> {
  const resources = services.flatMap((service) => service.resources)
  return new Set(resources.flatMap((resource) => [resource.id, ...pathsOf(resource)]))
}

function pathsOf(resource: Resource): readonly string[] {
  return 'path' in resource ? [resource.path] : []
}

/** Not removed: what another service has now, and a path that a link or a file replaces by itself. */
function leftSubjects(
  { resources }: ServiceBaseline,
  onRemove: ServiceBaseline['onRemove'],
  { claimed }: HostView,
): readonly Subject[] {
  if (onRemove === 'keep') return []
  return [...resources]
    .filter(([id]) => !claimed.has(id) && !isTakenOver(id, claimed))
    .map(([id, baseline]) => ({ id, desired: undefined, baseline }))
}

/** A directory is not replaced by a rename, nor by a directory: only these have to be removed first. */
function isTakenOver(id: ResourceId, claimed: ReadonlySet<string>): boolean {
  const path = pathInId(id)
  if (path === undefined || !claimed.has(path)) return false
  return !id.startsWith('directory:') && !claimed.has(`directory:${path}`)
}
