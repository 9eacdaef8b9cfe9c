// In: a comparison. Out: the ordered steps that would make live as desired, and what is then to be recorded. Pure.
import { compact } from '../../shared/compact.ts'
import { policyOf, reasonToIgnore } from '../../shared/drift-policy.ts'
import { isLeftToPerson } from '../../shared/finding-kind.ts'
import type { AbsolutePath, HostName, ResourceId, Revision, ServiceName } from '../../shared/names.ts'
import type { Problem } from '../../shared/problem.ts'
import type { Hold } from '../../shared/report.ts'
import type { DesiredService, UnitTrigger } from '../../shared/resource.ts'
import type { Capabilities } from '../host/host.ts'
import type { BaselineResource, ResourceChange } from '../resources/kind.ts'
import type { Before } from '../resources/original.ts'
import { kinds } from '../resources/registry.ts'
import type { HandedOver } from '../resources/released.ts'
import type { ServiceBaseline } from '../state/baseline.ts'
import { awaitedProjects, startsEngine } from './awaited.ts'
import { withBelowLinks } from './below-links.ts'
import {
  type ComparedResource,
  drifted,
  type HostComparison,
  ownPolicy,
  pendingOf,
  type ServiceComparison,
} from './compare.ts'
import { type Forecast, forecastAfter, forecastAt } from './forecast.ts'
import { waitsText } from './hold-text.ts'
import { type Step, stepsFor } from './steps.ts'
import { readsOne, replacedPaths, restartedAfter } from './touched.ts'
import { type HoldOf, type Waits, waitsIn } from './waits.ts'
import { type Watched, watchedIn } from './watched.ts'

export type ServicePlan = {
  readonly service: ServiceName
  readonly after: readonly ServiceName[]
  /** How long what its steps start has to stay up. */
  readonly settleSeconds: number
  readonly watched: Watched
  /** Why it cannot be applied now: something of it could not be looked at. */
  readonly blocked: readonly Problem[]
  readonly steps: readonly Step[]
  /** Somebody wants it left alone: there are no steps, whatever differs. */
  readonly held: Hold | undefined
  /** Why there are no steps, though something differs: a hold on another service. */
  readonly waits: (Waits & { readonly text: string }) | undefined
  /** Drifted and for a person to decide, by policy or because another program puts it back the other way each time. */
  readonly leftAlone: readonly ResourceId[]
  /** Whatever differs and is not changed by these steps, by policy or because it is ignored. */
  readonly leftDiffering: readonly ResourceId[]
  /** Only drifted, and put back by these steps. */
  readonly repairs: readonly ResourceId[]
  readonly before: ServiceBaseline | undefined
  /** The baseline after success, but for its time; undefined: the service is forgotten. */
  readonly record: ServiceRecord | undefined
  /** The baseline says all of `record` already, or nothing is to be recorded now: it is held or waits. */
  readonly isRecorded: boolean
  readonly isLeaving: boolean
  /** Of `record`: to be forgotten as soon as those services have been applied. */
  readonly handedOver: readonly HandedOver[]
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
  /** `everything`: drift is put right too, whatever the services say but for what is ignored (a person asked for it). */
  readonly repair: 'by-policy' | 'everything'
  /** What is not put back by policy any more (state/repairs.ts). */
  readonly repairLoops?: ReadonlyMap<ResourceId, unknown>
  /** Default: all. */
  readonly services?: ReadonlySet<ServiceName>
  readonly holdOf?: (service: ServiceName) => Hold | undefined
  /** Applied whatever the policy: an apply has just left them other than it made them. */
  readonly owed?: ReadonlySet<ResourceId>
}

export function planFor({ host, revision, capabilities, services, units }: HostComparison, options: PlanOptions): Plan {
  const { repair, repairLoops = new Map(), holdOf = () => undefined, owed = new Set() } = options
  const plans: ServicePlan[] = []
  let forecast = forecastAt(units)
  let isEngineStarted = false
  const replaced = new Set<string>()
  const planned = services.filter(({ service: name }) => options.services?.has(name) ?? true)
  const after = restartedAfter(planned, holdOf)
  const always = { revision, capabilities, repair, repairLoops, holdOf, owed, replaced }
  for (const service of planned) {
    const restartedLater = after.get(service.service) ?? new Set()
    const plan = servicePlan(service, { ...always, forecast, isEngineStarted, restartedLater })
    plans.push(plan)
    if (plan.steps.length === 0) continue
    forecast = forecastAfter(forecast, changesIn(plan))
    isEngineStarted ||= startsEngine(changesIn(plan))
    for (const path of replacedPaths(changesIn(plan))) replaced.add(path)
  }
  return { host, revision, services: withWaits(plans, services, holdOf) }
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
  readonly repairLoops: ReadonlyMap<ResourceId, unknown>
  readonly holdOf: HoldOf
  readonly owed: ReadonlySet<ResourceId>
  /** Before this service. */
  readonly forecast: Forecast
  /** A container engine that does not answer is started by a service before this one. */
  readonly isEngineStarted: boolean
  /** Paths that services before this one replace. */
  readonly replaced: ReadonlySet<string>
  /** Units that services after this one restart. */
  readonly restartedLater: ReadonlySet<string>
}

/** Where nothing differs nothing is to be done, whatever the rest says: on a host at rest that is worked out once. */
function servicePlan(compared: ServiceComparison, context: Context): ServicePlan {
  const known = isReading(compared, context.replaced) ? undefined : plansAtRest.get(compared)
  if (known !== undefined && context.holdOf(compared.service) === undefined) return known
  const plan = newServicePlan(compared, context)
  const differs = compared.differing.length + compared.problems.length + plan.steps.length
  const isAtRest = differs === 0 && plan.isRecorded && plan.held === undefined
  if (isAtRest) plansAtRest.set(compared, plan)
  return plan
}

function isReading({ resources }: ServiceComparison, replaced: ReadonlySet<string>): boolean {
  return (
    replaced.size > 0 && resources.some(({ desired }) => desired?.kind === 'compose' && readsOne(desired, replaced))
  )
}

const plansAtRest = new WeakMap<ServiceComparison, ServicePlan>()

function newServicePlan(compared: ServiceComparison, context: Context): ServicePlan {
  const { revision, holdOf } = context
  const { service, desired, baseline, differing, problems } = compared
  const pending = new Set(pendingOf(compared))
  const repaired = new Set(onlyDrifted(differing).filter((resource) => isRepaired(resource, desired, context)))
  const differs = differing.filter((resource) => pending.has(resource) || repaired.has(resource))
  const seen = withBelowLinks(differs, compared.resources)
  const changed = new Set(differs)
  const isStarted = context.isEngineStarted || startsEngine(seen)
  const awaited = isStarted ? awaitedProjects(compared, (one) => isRepaired(one, desired, context)) : []
  const blocked = awaited.length === problems.length ? [] : problems
  const chosen = blocked.length > 0 ? seen : [...seen, ...awaited]
  const { record, isKnown } = recordedBy(compared, revision, awaited)
  const held = holdOf(service)
  const steps = blocked.length > 0 || held !== undefined ? [] : stepsFor(compared, chosen, context)
  return {
    service,
    after: desired?.after ?? [],
    settleSeconds: desired?.settleSeconds ?? 0,
    blocked: held === undefined ? blocked : [],
    steps,
    watched: watchedIn(steps),
    held,
    waits: undefined,
    leftAlone: onlyDrifted(drifted(compared)).flatMap((one) => (repaired.has(one) ? [] : one.id)),
    leftDiffering: differing.flatMap((one) => (changed.has(one) ? [] : one.id)),
    repairs: steps.length === 0 ? [] : [...repaired].map(({ id }) => id),
    before: baseline,
    record,
    isRecorded: held !== undefined || blocked.length > 0 || (compared.handedOver.length === 0 && isKnown),
    isLeaving: desired === undefined,
    handedOver: compared.handedOver,
    untaken: compared.untaken,
  }
}

function isRepaired(resource: ComparedResource, desired: DesiredService | undefined, context: Context): boolean {
  if (resource.comparison.drift.every(isLeftToPerson)) return false
  if (context.owed.has(resource.id)) return true
  const policy = policyOf(desired, ownPolicy(resource))
  if (reasonToIgnore(policy) !== undefined) return false
  return context.repair === 'everything' || (policy === 'repair' && !context.repairLoops.has(resource.id))
}

function withWaits(plans: readonly ServicePlan[], services: readonly ServiceComparison[], holdOf: HoldOf) {
  const planned = plans.map((plan) => ({ ...plan, changed: changesIn(plan).map(({ id }) => id) }))
  const waits = waitsIn(planned, services, holdOf)
  return plans.map((plan): ServicePlan => {
    const waiting = waits.get(plan.service)
    return waiting === undefined
      ? plan
      : { ...plan, steps: [], repairs: [], waits: { ...waiting, text: waitsText(waiting) }, isRecorded: true }
  })
}

function onlyDrifted(resources: readonly ComparedResource[]): readonly ComparedResource[] {
  return resources.filter(({ comparison }) => comparison.drift.length > 0 && comparison.pending.length === 0)
}

/** What is to be recorded, and whether the baseline says so already. */
function recordedBy(compared: ServiceComparison, revision: Revision, awaited: readonly ComparedResource[]): Recorded {
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
