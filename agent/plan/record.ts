// What is to be recorded of a service when its plan was applied: its baseline, but for the time. Pure.
import { compact } from '../../shared/compact.ts'
import type { ResourceId, Revision } from '../../shared/names.ts'
import type { DesiredService, UnitTrigger } from '../../shared/resource.ts'
import type { BaselineResource } from '../resources/kind.ts'
import { kinds } from '../resources/registry.ts'
import type { Before } from '../resources/removal/originals.ts'
import type { ServiceBaseline } from '../state/baseline.ts'
import type { ComparedResource, ServiceComparison } from './compare.ts'

export type ServiceRecord = Omit<ServiceBaseline, 'appliedAt'>

/** What is to be recorded, and whether the baseline says so already. */
export function recordedBy(
  compared: ServiceComparison,
  revision: Revision,
  awaited: readonly ComparedResource[],
): Recorded {
  const resources = awaited.length === 0 ? compared.resources : [...compared.resources, ...awaited]
  const record = recordOf({ ...compared, resources }, revision)
  return isSame(record, compared.baseline) ? { record: compared.baseline, isKnown: true } : { record, isKnown: false }
}

type Recorded = { readonly record: ServiceRecord | undefined; readonly isKnown: boolean }

/** Also right for what is left alone: an attribute that only drifted has the desired value in its baseline already. */
function recordOf(compared: ServiceComparison, revision: Revision): ServiceRecord | undefined {
  const { service, desired, baseline, resources, before, moved } = compared
  if (desired === undefined && before.size === 0 && moved.length === 0) return undefined
  const triggers = unitTriggersOf(desired)
  const recorded = resources.flatMap((resource): readonly (readonly [ResourceId, BaselineResource])[] => {
    const { id, desired: wanted } = resource
    if (wanted === undefined) return []
    const attributes = kinds[wanted.kind].attributes(wanted)
    const source = 'source' in wanted ? { source: wanted.source } : {}
    const blob = wanted.kind === 'file' && wanted.content.kind === 'blob' ? { blob: wanted.content.oid } : {}
    const secrets = wanted.kind === 'file' && wanted.secrets.length > 0 ? { secrets: wanted.secrets } : {}
    const newest = resource.live.newest === undefined ? {} : { newest: resource.live.newest }
    const ran = resource.baseline?.ran === true || resource.live.unit?.isUp === true ? { ran: true } : {}
    const told = triggers.get(id)
    return [
      [
        id,
        {
          attributes,
          ...source,
          ...blob,
          ...secrets,
          ...newest,
          ...ran,
          ...compact({ triggers: told }),
        },
      ],
    ]
  })
  const held = moved.flatMap((id): readonly (readonly [ResourceId, BaselineResource])[] => {
    const known = baseline?.resources.get(id)
    return known === undefined ? [] : [[id, known]]
  })
  const onRemove = desired?.onRemove ?? baseline?.onRemove ?? 'delete'
  return {
    service,
    revision,
    onRemove,
    resources: new Map([...recorded, ...held]),
    ...(before.size === 0 ? {} : { before }),
  }
}

/** Of each file, the units that are told; a command of the repository may leave together with its file. */
function unitTriggersOf(desired: DesiredService | undefined): ReadonlyMap<ResourceId, readonly UnitTrigger[]> {
  const pairs = (desired?.triggers ?? []).flatMap(({ on, action }) =>
    action.kind === 'run' ? [] : on.map((id) => [id, action] as const),
  )
  const byId = Map.groupBy(pairs, ([id]) => id)
  return new Map([...byId].map(([id, own]) => [id, own.map(([, action]) => action)]))
}

function isSame(record: ServiceRecord | undefined, baseline: ServiceBaseline | undefined): boolean {
  if (record === undefined || baseline === undefined) return record === baseline
  return (
    record.revision === baseline.revision &&
    record.onRemove === baseline.onRemove &&
    record.resources.size === baseline.resources.size &&
    isSameBefore(record.before ?? new Map(), baseline.before ?? new Map()) &&
    [...record.resources].every(([id, resource]) => sameResource(resource, baseline.resources.get(id)))
  )
}

function isSameBefore(one: Before, other: Before): boolean {
  return (
    one.size === other.size &&
    [...one].every(([path, taken]) => JSON.stringify(taken) === JSON.stringify(other.get(path)))
  )
}

function sameResource(one: BaselineResource, other: BaselineResource | undefined): boolean {
  return (
    other !== undefined &&
    one.source === other.source &&
    one.blob === other.blob &&
    one.newest === other.newest &&
    one.ran === other.ran &&
    (one.secrets ?? []).join() === (other.secrets ?? []).join() &&
    triggersText(one) === triggersText(other) &&
    Object.keys(one.attributes).length === Object.keys(other.attributes).length &&
    Object.entries(one.attributes).every(([name, value]) => other.attributes[name] === value)
  )
}

function triggersText({ triggers = [] }: BaselineResource): string {
  return triggers.map(({ kind, unit }) => `${kind} ${unit}`).join()
}
