// In: a comparison. Out: the ordered steps that would make live as desired, and what is then to be recorded. Pure.
import { policyOf, reasonToIgnore } from '../../shared/drift-policy.ts'
import { isLeftToPerson } from '../../shared/finding-kind.ts'
import type { AbsolutePath, HostName, ResourceId, Revision, ServiceName } from '../../shared/names.ts'
import type { Problem } from '../../shared/problem.ts'
import type { Hold } from '../../shared/report.ts'
import type { DesiredService } from '../../shared/resource.ts'
import type { Capabilities } from '../host/host.ts'
import { Memory, slotByObject } from '../memory.ts'
import { changesIn } from '../resources/change-step.ts'
import type { HandedOver } from '../resources/removal/leaving.ts'
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
import { recordedBy, type ServiceRecord } from './record.ts'
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
  /** Plans of services at rest; default: an empty one. */
  readonly memory?: Memory
}

export function planFor({ host, revision, capabilities, services, units }: HostComparison, options: PlanOptions): Plan {
  const { repair, repairLoops = new Map(), holdOf = () => undefined, owed = new Set(), memory = new Memory() } = options
  const plans: ServicePlan[] = []
  let forecast = forecastAt(units)
  let isEngineStarted = false
  const replaced = new Set<string>()
  const planned = services.filter(({ service: name }) => options.services?.has(name) ?? true)
  const after = restartedAfter(planned, holdOf)
  const always = {
    revision,
    capabilities,
    repair,
    repairLoops,
    holdOf,
    owed,
    replaced,
    plansAtRest: memory.at(plansAtRest),
  }
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
  readonly plansAtRest: WeakMap<ServiceComparison, ServicePlan>
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
  const known = isReading(compared, context.replaced) ? undefined : context.plansAtRest.get(compared)
  if (known !== undefined && context.holdOf(compared.service) === undefined) return known
  const plan = newServicePlan(compared, context)
  const differs = compared.differing.length + compared.problems.length + plan.steps.length
  const isAtRest = differs === 0 && plan.isRecorded && plan.held === undefined
  if (isAtRest) context.plansAtRest.set(compared, plan)
  return plan
}

function isReading({ resources }: ServiceComparison, replaced: ReadonlySet<string>): boolean {
  return (
    replaced.size > 0 && resources.some(({ desired }) => desired?.kind === 'compose' && readsOne(desired, replaced))
  )
}

const plansAtRest = slotByObject<ServiceComparison, ServicePlan>()

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
