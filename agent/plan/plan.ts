// In: a comparison. Out: the ordered steps that would make live as desired, and what is then to be recorded. Pure.
import type { AbsolutePath, HostName, ResourceId, Revision, ServiceName } from '../../shared/names.ts'
import type { Problem } from '../../shared/problem.ts'
import type { Capabilities } from '../host/host.ts'
import type { BaselineResource, ResourceChange } from '../resources/kind.ts'
import type { Before } from '../resources/original.ts'
import { kinds } from '../resources/registry.ts'
import type { Held } from '../resources/released.ts'
import type { ServiceBaseline } from '../state/baseline.ts'
import { type ComparedResource, type HostComparison, pendingOf, type ServiceComparison } from './compare.ts'
import { type Step, stepsFor } from './steps.ts'

export type ServicePlan = {
  readonly service: ServiceName
  readonly after: readonly ServiceName[]
  /** Why it cannot be applied now: something of it could not be looked at. */
  readonly blocked: readonly Problem[]
  readonly steps: readonly Step[]
  /** Drifted and, by the service's policy, for a person to decide. */
  readonly leftAlone: readonly ResourceId[]
  readonly before: ServiceBaseline | undefined
  /** The baseline after success, but for its time; undefined: the service is forgotten. */
  readonly record: ServiceRecord | undefined
  /** The baseline says all of `record` already. */
  readonly isRecorded: boolean
  readonly isLeaving: boolean
  /** Of `record`: to be forgotten as soon as those services have been applied. */
  readonly held: readonly Held[]
  /** What is at these paths is to be recorded as what was there before. */
  readonly untaken: readonly AbsolutePath[]
}

export type ServiceRecord = Omit<ServiceBaseline, 'appliedAt'>

export type Plan = {
  readonly host: HostName
  readonly revision: Revision
  /** In the order they are applied. */
  readonly services: readonly ServicePlan[]
}

export type PlanOptions = {
  /** `everything`: drift is put right too, whatever the services say (a person asked for it). */
  readonly repair: 'by-policy' | 'everything'
  /** Default: all. */
  readonly services?: ReadonlySet<ServiceName>
}

export function planFor({ host, revision, capabilities, services }: HostComparison, options: PlanOptions): Plan {
  const chosen = services.filter(({ service }) => options.services?.has(service) ?? true)
  const plans = chosen.map((service) => servicePlan(service, { revision, capabilities, repair: options.repair }))
  return { host, revision, services: plans }
}

export function changesIn({ steps }: ServicePlan): readonly ResourceChange[] {
  return steps.flatMap((step) => (step.kind === 'change' ? step.changes : []))
}

export function isEmpty({ services }: Plan): boolean {
  return services.every(({ steps, blocked }) => steps.length === 0 && blocked.length === 0)
}

/** Those that may be tried, without what is after one that may not: it counts on that one being applied. */
export function servicesToTry(
  { services }: HostComparison,
  mayTry: (service: ServiceName) => boolean,
): ReadonlySet<ServiceName> {
  const tried = new Set<ServiceName>()
  const held = new Set<ServiceName>()
  for (const { service, desired } of services) {
    const waits = !mayTry(service) || (desired?.after ?? []).some((earlier) => held.has(earlier))
    if (waits) held.add(service)
    else tried.add(service)
  }
  return tried
}

type Context = {
  readonly revision: Revision
  readonly capabilities: Capabilities
  readonly repair: PlanOptions['repair']
}

function servicePlan(compared: ServiceComparison, { revision, capabilities, repair }: Context): ServicePlan {
  const { service, desired, baseline, resources, problems } = compared
  const repairs = repair === 'everything' || desired?.onDrift === 'repair'
  const chosen = repairs ? resources.filter(({ differences }) => differences.length > 0) : pendingOf(compared)
  const record = recordOf(compared, revision)
  return {
    service,
    after: desired?.after ?? [],
    blocked: problems,
    steps: problems.length > 0 ? [] : stepsFor(compared, chosen, capabilities),
    leftAlone: repairs ? [] : onlyDrifted(resources).map(({ id }) => id),
    before: baseline,
    record,
    isRecorded: compared.held.length === 0 && isSame(record, baseline),
    isLeaving: desired === undefined,
    held: compared.held,
    untaken: compared.untaken,
  }
}

function onlyDrifted(resources: readonly ComparedResource[]): readonly ComparedResource[] {
  return resources.filter(({ comparison }) => comparison.drift.length > 0 && comparison.pending.length === 0)
}

/** Also right for what is left alone: an attribute that only drifted has the desired value in its baseline already. */
function recordOf(compared: ServiceComparison, revision: Revision): ServiceRecord | undefined {
  const { service, desired, baseline, resources, before, moved } = compared
  if (desired === undefined && before.size === 0 && moved.length === 0) return undefined
  const recorded = resources.flatMap((resource): readonly (readonly [ResourceId, BaselineResource])[] => {
    const { id, desired: wanted } = resource
    if (wanted === undefined) return []
    const attributes = kinds[wanted.kind].attributes(wanted)
    const source = 'source' in wanted ? { source: wanted.source } : {}
    const blob = wanted.kind === 'file' && wanted.content.kind === 'blob' ? { blob: wanted.content.oid } : {}
    const secrets = wanted.kind === 'file' && wanted.secrets.length > 0 ? { secrets: wanted.secrets } : {}
    return [[id, { attributes, ...source, ...blob, ...secrets }]]
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
    (one.secrets ?? []).join() === (other.secrets ?? []).join() &&
    Object.keys(one.attributes).length === Object.keys(other.attributes).length &&
    Object.entries(one.attributes).every(([name, value]) => other.attributes[name] === value)
  )
}
