// Acting, composed for the running agent and for the verbs alike: under the lock, what was interrupted is recovered, then the
// host is looked at, planned for and applied to, and looked at again.
import { compact } from '../shared/compact.ts'
import type { ResourceId, ServiceName } from '../shared/names.ts'
import { trace } from '../shared/platform/trace.ts'
import type { Problem } from '../shared/problem.ts'
import type { ApplyReport, Change } from '../shared/report.ts'
import { agentRestartOf, restartsAgent } from './agent-restart.ts'
import { applyPlan } from './apply/apply.ts'
import type { ApplyOptions } from './apply/context.ts'
import { recover } from './apply/recover.ts'
import { type ApplyResult, appliedIn, applyReport, doneIn, joinedResults } from './apply/result.ts'
import { answering } from './host/contact.ts'
import { type Agent, type Desired, type HostInspection, inspectHost, maskOf } from './inspect.ts'
import type { Mask } from './plan/mask.ts'
import { changedSince, owedAfter, owedProblem } from './plan/owed.ts'
import { type Plan, type PlanOptions, planFor, type ServicePlan, servicesToTry } from './plan/plan.ts'
import { planFacts } from './plan/plan-facts.ts'
import { waitingRemoval } from './plan/removal.ts'
import { noteDrift, noteRepairs, repairsDone, repairsFound } from './repairs.ts'
import type { AgentRestart } from './state/agent-restart.ts'
import { mayTry } from './state/failures.ts'
import type { Lock } from './state/lock.ts'

export type ApplyRunOptions = {
  /** `everything`: a person asked, so drift is put right and no back-off is waited for. */
  readonly repair: PlanOptions['repair']
  readonly full: boolean
  readonly onChange?: (change: Change) => void
  /** What is waited for while nothing is done. */
  readonly onWait?: (text: string) => void
  /** A person said that most of the host's services may go. */
  readonly allowRemoval?: boolean
  /** Aborted: no further service is begun. */
  readonly stop?: AbortSignal
}

export type ApplyRun = {
  /** After the apply. */
  readonly inspection: HostInspection
  readonly result: ApplyResult
  /** Undefined when nothing changed and nothing failed. */
  readonly report: ApplyReport | undefined
  /** To be done by the caller, when it has let go of the lock and told what there is to tell. */
  readonly restartsAgent: AgentRestart | undefined
  /** What differs although this apply made it, or found it as desired: something that the apply ran may have changed it. */
  readonly changedSince: ReadonlySet<ResourceId>
  readonly problems: readonly Problem[]
}

/** The caller holds the lock, so that what is observed still holds when it is applied to. */
export async function runApply(
  agent: Agent,
  desired: Desired,
  lock: Lock,
  options: ApplyRunOptions,
): Promise<ApplyRun> {
  const answers = () => answering(agent.contacts)
  const recovery = await recover(agent.state, agent.host, { lock, answering: answers })
  for (const service of recovery.undone) options.onChange?.({ service, summary: putBackFirst })
  const before = await inspectHost(agent, desired, options)
  noteDrift(agent, before, new Date())
  const { plan, refused } = allowedPlan(agent, before, options)
  const mask = await maskOf(agent, before)
  const byPolicy = options.repair === 'by-policy'
  const found = byPolicy ? await repairsFound(agent, before, plan) : []
  const ended = plan.services.some(({ steps }) => steps.length > 0)
    ? agent.state.applies.begin(plan.revision, () => new Date())
    : undefined
  const applying = applyOptions(agent, desired, lock, { ...options, mask })
  const restart = agentRestartOf(plan, agent.host, agent.state)
  const first = await applyPlan(plan, applying)
  noteRepairs(agent, plan, { result: first, byPolicy, now: new Date() })
  const isOld = plan.services.some(({ isRecorded }) => !isRecorded) || applyReport(first) !== undefined
  const { result, inspection, problems } = isOld
    ? await inspectSettled(agent, desired, { applying, before, plan, first })
    : { result: first, inspection: before, problems: [] }
  const changed = changedSince(plan, doneIn(result), { before: before.comparison, after: inspection.comparison })
  ended?.()
  return {
    inspection,
    result,
    report: applyReport(result, repairsDone(found, result)),
    restartsAgent: plan.services.some(isRestarting(result)) ? restart : undefined,
    changedSince: new Set(changed.map(({ resource }) => resource.id)),
    problems: [...recovery.problems, ...before.problems, ...result.problems, ...problems, ...refused],
  }
}

/** Empty while most services of the host would go, and no person has said that they may. */
function allowedPlan(agent: Agent, { comparison, ...inspection }: HostInspection, options: ApplyRunOptions) {
  const removal = options.allowRemoval === true ? undefined : waitingRemoval(comparison)
  const { services, ...about } = planFor(comparison, planOptions(agent, { comparison, ...inspection }, options))
  const plan: Plan = { ...about, services: removal === undefined ? services : [] }
  trace('plan made', () => ({ ...planFacts(plan), isRemovalRefused: removal !== undefined }))
  return { plan, refused: removal === undefined ? [] : [removal] }
}

function isRestarting(result: ApplyResult) {
  const applied = appliedIn(result)
  return (servicePlan: ServicePlan) => applied.has(servicePlan.service) && restartsAgent(servicePlan)
}

function applyOptions(
  { host, state, contacts }: Agent,
  { desired, contents }: Desired,
  lock: Lock,
  { mask, stop, onChange, onWait }: ApplyRunOptions & { readonly mask: Mask },
): ApplyOptions {
  const guarding = { answering: () => answering(contacts), withinSeconds: desired.connectivityGuardSeconds }
  return {
    ...{ host, state, contents, lock, mask: mask.sentence },
    now: () => new Date(),
    ...(host.capabilities.commands ? { guarding } : {}),
    ...compact({ stop, onProgress: onChange, onWait }),
  }
}

type Applied = {
  readonly applying: ApplyOptions
  readonly before: HostInspection
  readonly plan: Plan
  readonly first: ApplyResult
}

/** After the apply; what it undid itself is applied once more before anybody is told. */
async function inspectSettled(agent: Agent, desired: Desired, { applying, before, plan, first }: Applied) {
  const inspection = await inspectHost(agent, desired, { full: false })
  const owedIn = (result: ApplyResult, after: HostInspection) =>
    owedAfter(plan, doneIn(result), { before: before.comparison, after: after.comparison })
  const owed = owedIn(first, inspection)
  if (owed.services.size === 0) return { result: first, inspection, problems: [] }
  const { services, resources } = owed
  const again: PlanOptions = { repair: 'by-policy', owed: resources, services, holdOf: inspection.holds.of }
  const second = await applyPlan(planFor(inspection.comparison, { ...again, memory: agent.host.memory }), applying)
  const result = joinedResults(first, second)
  const latest = await inspectHost(agent, desired, { full: false })
  const left = owedIn(result, latest)
  return { result, inspection: latest, problems: left.services.size === 0 ? [] : [owedProblem(left)] }
}

/** Whether the policy of a service would have something put back that was looked at just now. */
export function hasRepairsLeft(agent: Agent, inspection: HostInspection): boolean {
  const { services } = planFor(inspection.comparison, planOptions(agent, inspection, { repair: 'by-policy' }))
  return services.some(({ repairs, steps }) => repairs.length > 0 && steps.length > 0)
}

const putBackFirst = 'put back as it was before an apply that did not come to its end'

/** Before anything else, also before the network is asked for anything: it may be what the interrupted apply took away. */
export async function recoverFirst(agent: Agent): Promise<readonly Problem[]> {
  const { state, host, contacts } = agent
  if (state.journal.read().length === 0) return []
  const lock = await state.lock({ purpose: 'plumb agent', now: new Date(), waitSeconds: 600 })
  try {
    return (await recover(state, host, { lock, answering: () => answering(contacts) })).problems
  } finally {
    lock.release()
  }
}

function planOptions(
  { state, host: { memory } }: Agent,
  { comparison, holds }: HostInspection,
  { repair }: Pick<ApplyRunOptions, 'repair'>,
): PlanOptions {
  const holdOf = holds.of
  if (repair === 'everything') return { repair, holdOf, memory }
  const now = new Date()
  const failures = state.failures.read()
  const isDue = (service: ServiceName) => mayTry(failures.get(service), comparison.revision, now)
  return { repair, holdOf, memory, repairLoops: state.repairs.loops(), services: servicesToTry(comparison, isDue) }
}
