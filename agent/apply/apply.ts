// In: a plan. Out: what was changed and what failed. The only stage that writes to the host.
import type { Revision, ServiceName } from '../../shared/names.ts'
import { PlumbError, type Problem, problemLine, problemsOf } from '../../shared/problem.ts'
import type { ApplyReport, Change, Failure, Hold, Repair } from '../../shared/report.ts'
import type { CheckOptions } from '../host/checks.ts'
import type { HostWriter } from '../host/host.ts'
import { RunningContainers } from '../host/running-containers.ts'
import type { Plan, ServicePlan } from '../plan/plan.ts'
import type { ApplyHost, ReadContents, Waiting } from '../resources/kind.ts'
import { archiveLimitBytes } from '../state/archive.ts'
import type { ServiceBaseline } from '../state/baseline.ts'
import type { Lock } from '../state/lock.ts'
import type { State } from '../state/state.ts'
import { Baton } from './baton.ts'
import { committing, withoutHandedOver } from './committed.ts'
import { keepingRendered } from './contents.ts'
import { arm, contactLost, type Guard, type Guarding, isInContact } from './guard.ts'
import { markApply, readJournal } from './journal.ts'
import { waitText } from './settling.ts'
import { NewParents, overlaps } from './shared-changes.ts'
import { type Committed, commit, putBack, type TransactionHost, takeSteps, type Undone } from './transaction.ts'
import { forget } from './undo.ts'

export type ApplyOptions = {
  readonly host: HostWriter
  readonly contents: ReadContents
  readonly state: State
  /** Held while planning too: what was observed must still hold. */
  readonly lock: Lock
  readonly now: () => Date
  /** Takes the values of secrets out of the words of failed commands. */
  readonly mask?: (text: string) => string
  /** How long the checks of a service may take to hold; default 30 s each. */
  readonly checks?: CheckOptions
  /** Default: no connectivity guard. */
  readonly guarding?: Guarding
  /** Aborted: no further service is begun; the one under way comes to its end. */
  readonly stop?: AbortSignal
  /** What is waited for while nothing is done. */
  readonly onWait?: (text: string) => void
  /** One past-tense line for each thing done, as it is done. */
  readonly onProgress?: (change: Change) => void
}

export type ServiceOutcome =
  | { readonly kind: 'unchanged'; readonly service: ServiceName }
  | { readonly kind: 'applied'; readonly service: ServiceName; readonly changes: readonly Change[] }
  | { readonly kind: 'failed'; readonly service: ServiceName; readonly failure: Failure }
  | { readonly kind: 'skipped'; readonly service: ServiceName; readonly reason: string }
  | { readonly kind: 'held'; readonly service: ServiceName; readonly hold: Hold }

export type ApplyResult = {
  readonly revision: Revision
  /** ISO 8601: when it ended. */
  readonly at: string
  readonly services: readonly ServiceOutcome[]
  /** What went wrong beside the services: the record could not be written, something was left behind. */
  readonly problems: readonly Problem[]
}

/**
 * In the order of the plan; while one service waits for stability, health or its checks, those that are not after it go on. One that fails
 * is put back as it was.
 */
export async function applyPlan(plan: Plan, options: ApplyOptions): Promise<ApplyResult> {
  const { state, now } = options
  const { ofServices, ofApply } = readJournal(state.journal)
  if (ofServices.length + ofApply.length > 0) throw interrupted(state.directory)
  const run: Run = {
    outcomes: new Map(),
    committed: [],
    recorded: [],
    problems: [],
    isUndone: true,
  }
  const context = contextOf(plan, options, run)
  const isChange = plan.services.some(({ steps }) => steps.length > 0)
  const guard = isChange ? await arm(options.guarding, state.journal) : undefined
  await sideBySide(plan.services, context)
  await conclude(plan, guard, context)
  const services = plan.services.flatMap(({ service }) => run.outcomes.get(service) ?? [])
  return { revision: plan.revision, at: now().toISOString(), services, problems: run.problems }
}

/** For the report to the server; undefined when there is nothing to tell. */
export function applyReport(
  { revision, at, services }: ApplyResult,
  repaired: readonly Repair[] = [],
): ApplyReport | undefined {
  const changes = services.flatMap((outcome) => (outcome.kind === 'applied' ? outcome.changes : []))
  const failed = services.flatMap((outcome) => (outcome.kind === 'failed' ? [outcome.service] : []))
  if (changes.length + failed.length === 0) return undefined
  return { revision, at, changes: [...changes], failed, ...(repaired.length === 0 ? {} : { repaired: [...repaired] }) }
}

/** Of two applies, the second of what the first one left other than it had made it. */
export function joinedResults(first: ApplyResult, second: ApplyResult): ApplyResult {
  const services = first.services.map((one): ServiceOutcome => {
    const again = second.services.find(({ service }) => service === one.service)
    if (again === undefined || again.kind === 'unchanged') return one
    if (again.kind !== 'applied' || one.kind !== 'applied') return again
    return { ...again, changes: [...one.changes, ...again.changes] }
  })
  return { ...second, services, problems: [...first.problems, ...second.problems] }
}

type Run = {
  readonly outcomes: Map<ServiceName, ServiceOutcome>
  readonly committed: Committed[]
  /** As desired already: only to be remembered, or forgotten. */
  readonly recorded: Record[]
  readonly problems: Problem[]
  /** Every service that failed was put back in full. */
  isUndone: boolean
}

type Record = { readonly service: ServiceName; readonly baseline: ServiceBaseline | undefined }

type Context = TransactionHost & { readonly options: ApplyOptions; readonly run: Run }

function contextOf({ revision, services }: Plan, options: ApplyOptions, run: Run): Context {
  const { state, now, contents } = options
  const { objects } = state
  const waiting: Waiting = (wait) => wait()
  const host: ApplyHost = {
    ...options.host,
    contents: keepingRendered(contents, objects),
    kept: objects.parts,
    waiting,
  }
  return {
    host,
    waiting,
    settling: new Map(),
    newParents: new NewParents(services),
    state,
    revision,
    now,
    options,
    run,
    checks: options.checks ?? {},
    containers: new RunningContainers(host.run),
    budget: { bytes: archiveLimitBytes },
    taken: new Map(),
    onChange: (change) => options.onProgress?.(change),
  }
}

/** Each begins when those that it is after, and those whose paths overlap with its own, have ended; also when one throws, all have ended when this does. */
async function sideBySide(plans: readonly ServicePlan[], context: Context): Promise<void> {
  const baton = new Baton(sayingWaits(context))
  const ended = new Map<ServiceName, Promise<void>>()
  const overlapping = overlaps(plans)
  for (const [order, plan] of plans.entries()) {
    if (isAsDesired(plan)) {
      await applyService(plan, context)
      continue
    }
    const awaited = [...plan.after, ...(overlapping.get(plan.service) ?? [])]
    const earlier = awaited.flatMap((name) => ended.get(name) ?? [])
    const work = async () => {
      await Promise.allSettled(earlier)
      await baton.act(order, (waiting) => applyService(plan, withOwnWaits(context, waiting)))
    }
    ended.set(plan.service, work())
  }
  const results = await Promise.allSettled(ended.values())
  for (const result of results) if (result.status === 'rejected') throw result.reason
}

/** Nothing to change and nothing to record: true of nearly every service in every pass, so it takes no turn. */
function isAsDesired({ steps, isRecorded }: ServicePlan): boolean {
  return steps.length === 0 && isRecorded
}

function withOwnWaits(context: Context, waiting: Waiting): Context {
  return { ...context, waiting, containers: new RunningContainers(context.host.run) }
}

async function applyService(plan: ServicePlan, context: Context): Promise<void> {
  const { run, options } = context
  const { service, steps, held } = plan
  const reason =
    reasonToSkip(plan, run) ??
    (steps.length > 0 && options.stop?.aborted === true ? 'it was stopped before.' : undefined)
  if (held !== undefined) run.outcomes.set(service, { kind: 'held', service, hold: held })
  else if (reason !== undefined) run.outcomes.set(service, { kind: 'skipped', service, reason })
  else if (steps.length === 0) run.outcomes.set(service, await unchanged(plan, context))
  else run.outcomes.set(service, await transact(plan, context))
}

async function transact(plan: ServicePlan, context: Context): Promise<ServiceOutcome> {
  const { service } = plan
  const taken = await takeSteps(plan, context)
  const result = taken.kind === 'undone' ? taken : await commit(taken, context)
  if (result.kind === 'undone') return failed(result, context)
  context.run.committed.push(result)
  return { kind: 'applied', service, changes: result.changes }
}

/** What is waited for while nothing is done, each time it is something else. */
function sayingWaits({ settling, options }: Context): () => void {
  let said = ''
  return () => {
    if (settling.size === 0) return
    const text = waitText([...settling.values()])
    if (text !== said) options.onWait?.(text)
    said = text
  }
}

/** Contact is kept: what was there before is forgotten. Contact is lost: everything is put back, the last first. */
async function conclude(plan: Plan, guard: Guard | undefined, context: Context): Promise<void> {
  const { run, options, host, state } = context
  const { committed } = run
  const { guarding } = options
  const isKept =
    guard === undefined ||
    guarding === undefined ||
    committed.length === 0 ||
    (await isInContact(guard, guarding.answering, options.onWait))
  if (guard !== undefined) await tolerated(run, () => markApply(isKept ? 'confirmed' : 'cut-off', state.journal))
  if (!isKept)
    for (const one of committed.splice(0).toReversed()) {
      const undone = await putBack(one, { error: new PlumbError(contactLost), step: 'stay in contact' }, context)
      run.outcomes.set(one.plan.service, failed(undone, context))
    }
  // Not before: a service that cuts the host off each time has failed each time.
  const done = [...run.outcomes.values()].filter(({ kind }) => kind === 'applied' || kind === 'unchanged')
  tolerate(run, () => state.failures.clear(done.map(({ service }) => service)))
  for (const { journal } of committed) run.problems.push(...(await forget(journal.records, host)))
  await settle(plan, run, options)
}

function reasonToSkip({ blocked, waits, after, steps }: ServicePlan, { outcomes }: Run): string | undefined {
  const [problem] = blocked
  if (problem !== undefined) return problemLine(problem)
  if (waits !== undefined) return waits.text
  const stopped = after.find((earlier) => ['failed', 'skipped'].includes(outcomes.get(earlier)?.kind ?? ''))
  return stopped === undefined || steps.length === 0 ? undefined : `${stopped}, which it is after, was not applied.`
}

/** What is as desired already is adopted: recorded without a write to the host. */
async function unchanged(plan: ServicePlan, context: Context): Promise<ServiceOutcome> {
  const { service, isRecorded, before } = plan
  if (!isRecorded) {
    const { baseline } = await committing(plan, [], context)
    const appliedAt = before?.appliedAt ?? context.now().toISOString()
    context.run.recorded.push({ service, baseline: baseline && { ...baseline, appliedAt } })
  }
  return { kind: 'unchanged', service }
}

function failed({ plan, step, problem, isComplete }: Undone, context: Context): ServiceOutcome {
  const { state, revision, now, options, run } = context
  const { service } = plan
  run.isUndone &&= isComplete
  const mask = options.mask ?? ((text: string) => text)
  const masked = { ...problem, message: mask(problem.message) }
  const at = now()
  const failure = { revision, at: at.toISOString(), step: mask(step).slice(0, 500), problem: masked, attempts: 1 }
  tolerate(run, () => state.failures.add({ service, revision, at, step: failure.step, problem: masked }))
  return { kind: 'failed', service, failure: state.failures.read().get(service) ?? failure }
}

/** A full disk must not keep the other services from being applied, nor the report from being sent. */
function tolerate(run: Run, work: () => void): void {
  try {
    work()
  } catch (error) {
    run.problems.push(...problemsOf(error))
  }
}

async function tolerated(run: Run, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    run.problems.push(...problemsOf(error))
  }
}

/** Everything is in the journal until the baselines are on disk; what fails now, or was not undone, recover() tries again. */
async function settle({ services }: Plan, run: Run, { state, host }: ApplyOptions): Promise<void> {
  const isApplied = (name: ServiceName) => ['applied', 'unchanged'].includes(run.outcomes.get(name)?.kind ?? '')
  const committed = run.committed.map(({ plan, baseline }) => ({ service: plan.service, baseline }))
  const records = new Map([...run.recorded, ...committed].map(({ service, baseline }) => [service, baseline]))
  const known = services
    .filter(({ service }) => records.has(service))
    .map((plan) => {
      const baseline = records.get(plan.service)
      return { plan, baseline: baseline && withoutHandedOver(baseline, plan, isApplied) }
    })
  try {
    await state.baselines.write(known.flatMap(({ baseline }) => baseline ?? []))
    await state.baselines.remove(known.flatMap(({ plan, baseline }) => (baseline === undefined ? [plan.service] : [])))
    await host.files.syncDirectories()
    if (run.isUndone) await state.journal.remove()
    state.hashes.save()
    if ([...run.outcomes.values()].some(({ kind }) => kind === 'applied')) state.prune()
  } catch (error) {
    run.problems.push(...problemsOf(error))
  }
}

function interrupted(directory: string): PlumbError {
  return new PlumbError({
    code: 'internal',
    message: 'an earlier apply was interrupted and has not been recovered.',
    where: { file: directory },
    remedy: 'Restart the agent: it recovers first.',
  })
}
