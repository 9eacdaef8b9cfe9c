// In: a plan. Out: what was changed and what failed. The only stage that writes to the host.
import type { Revision, ServiceName } from '../../shared/names.ts'
import { PlumbError, type Problem, problemLine, problemsOf } from '../../shared/problem.ts'
import type { ApplyReport, Change, Failure } from '../../shared/report.ts'
import type { CheckOptions } from '../host/checks.ts'
import type { HostWriter } from '../host/host.ts'
import type { Plan, ServicePlan } from '../plan/plan.ts'
import type { ApplyHost, ReadContents } from '../resources/kind.ts'
import type { ServiceBaseline } from '../state/baseline.ts'
import { displacedLimitBytes } from '../state/displaced.ts'
import type { Lock } from '../state/lock.ts'
import type { State } from '../state/state.ts'
import { committing, withoutHeld } from './committed.ts'
import { keepingRendered } from './contents.ts'
import { recordsIn } from './journal.ts'
import { applyService, type TransactionHost } from './transaction.ts'

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
  /** One past-tense line for each thing done, as it is done. */
  readonly onProgress?: (change: Change) => void
}

export type ServiceOutcome =
  | { readonly kind: 'unchanged'; readonly service: ServiceName }
  | { readonly kind: 'applied'; readonly service: ServiceName; readonly changes: readonly Change[] }
  | { readonly kind: 'failed'; readonly service: ServiceName; readonly failure: Failure }
  | { readonly kind: 'skipped'; readonly service: ServiceName; readonly reason: string }

export type ApplyResult = {
  readonly revision: Revision
  /** ISO 8601: when it ended. */
  readonly at: string
  readonly services: readonly ServiceOutcome[]
  /** What went wrong beside the services: the record could not be written, something was left behind. */
  readonly problems: readonly Problem[]
}

/** Service by service; one that fails is put back as it was, and those that are not after it proceed. */
export async function applyPlan(plan: Plan, options: ApplyOptions): Promise<ApplyResult> {
  const { state, now } = options
  if (recordsIn(state.journal).length > 0) throw interrupted(state.directory)
  const run: Run = { outcomes: new Map(), written: [], removed: [], problems: [], isUndone: true }
  const context = contextOf(plan, options, run)
  for (const service of plan.services) run.outcomes.set(service.service, await outcomeOf(service, context))
  await settle(plan, run, options)
  return {
    revision: plan.revision,
    at: now().toISOString(),
    services: [...run.outcomes.values()],
    problems: run.problems,
  }
}

/** For the report to the server; undefined when there is nothing to tell. */
export function applyReport({ revision, at, services }: ApplyResult): ApplyReport | undefined {
  const changes = services.flatMap((outcome) => (outcome.kind === 'applied' ? outcome.changes : []))
  const failed = services.flatMap((outcome) => (outcome.kind === 'failed' ? [outcome.service] : []))
  return changes.length + failed.length === 0 ? undefined : { revision, at, changes: [...changes], failed }
}

type Run = {
  readonly outcomes: Map<ServiceName, ServiceOutcome>
  readonly written: ServiceBaseline[]
  readonly removed: ServiceName[]
  readonly problems: Problem[]
  /** Every service that failed was put back in full. */
  isUndone: boolean
}

type Context = TransactionHost & { readonly options: ApplyOptions; readonly run: Run }

function contextOf({ revision }: Plan, options: ApplyOptions, run: Run): Context {
  const { state, now, contents } = options
  const { objects } = state
  const host: ApplyHost = { ...options.host, contents: keepingRendered(contents, objects), kept: objects.parts }
  return {
    host,
    state,
    revision,
    now,
    options,
    run,
    checks: options.checks ?? {},
    budget: { bytes: displacedLimitBytes },
    taken: new Set(),
    onChange: (change) => options.onProgress?.(change),
  }
}

async function outcomeOf(plan: ServicePlan, context: Context): Promise<ServiceOutcome> {
  const { run } = context
  const { service, steps } = plan
  const reason = reasonToSkip(plan, run)
  if (reason !== undefined) return { kind: 'skipped', service, reason }
  if (steps.length === 0) return unchanged(plan, context)
  const result = await applyService(plan, context)
  if (result.kind === 'undone') {
    run.isUndone &&= result.isComplete
    return failed(plan, result, context)
  }
  run.problems.push(...result.problems)
  remember(plan.service, result.baseline, run)
  tolerate(run, () => context.state.failures.clear(service))
  return { kind: 'applied', service, changes: result.changes }
}

function reasonToSkip({ blocked, after, steps }: ServicePlan, { outcomes }: Run): string | undefined {
  const [problem] = blocked
  if (problem !== undefined) return problemLine(problem)
  const stopped = after.find((earlier) => ['failed', 'skipped'].includes(outcomes.get(earlier)?.kind ?? ''))
  return stopped === undefined || steps.length === 0 ? undefined : `${stopped}, which it is after, was not applied.`
}

/** What is as desired already is adopted: recorded without a write to the host. */
async function unchanged(plan: ServicePlan, context: Context): Promise<ServiceOutcome> {
  const { service, isRecorded, before } = plan
  const { run } = context
  tolerate(run, () => context.state.failures.clear(service))
  if (!isRecorded) {
    const { baseline } = await committing(plan, [], context)
    const appliedAt = before?.appliedAt ?? context.now().toISOString()
    remember(service, baseline && { ...baseline, appliedAt }, run)
  }
  return { kind: 'unchanged', service }
}

function failed(
  { service }: ServicePlan,
  { step, problem }: { readonly step: string; readonly problem: Problem },
  { state, revision, now, options, run }: Context,
): ServiceOutcome {
  const mask = options.mask ?? ((text: string) => text)
  const masked = { ...problem, message: mask(problem.message) }
  const at = now()
  const failure = { revision, at: at.toISOString(), step: mask(step).slice(0, 500), problem: masked, attempts: 1 }
  tolerate(run, () => state.failures.add({ service, revision, at, step: failure.step, problem: masked }))
  return { kind: 'failed', service, failure: state.failures.get(service) ?? failure }
}

/** A full disk must not keep the other services from being applied, nor the report from being sent. */
function tolerate(run: Run, work: () => void): void {
  try {
    work()
  } catch (error) {
    run.problems.push(...problemsOf(error))
  }
}

function remember(service: ServiceName, baseline: ServiceBaseline | undefined, run: Run): void {
  if (baseline === undefined) run.removed.push(service)
  else run.written.push(baseline)
}

/** Everything is in the journal until the baselines are on disk; what fails now, or was not undone, recover() tries again. */
async function settle({ services }: Plan, run: Run, { state, host }: ApplyOptions): Promise<void> {
  const isApplied = (name: ServiceName) => ['applied', 'unchanged'].includes(run.outcomes.get(name)?.kind ?? '')
  const known = services.flatMap((plan) => {
    const written = run.written.find(({ service }) => service === plan.service)
    return written === undefined ? [] : [{ plan, baseline: withoutHeld(written, plan, isApplied) }]
  })
  const forgotten = known.flatMap(({ plan, baseline }) => (baseline === undefined ? [plan.service] : []))
  try {
    await state.baselines.write(known.flatMap(({ baseline }) => baseline ?? []))
    await state.baselines.remove([...run.removed, ...forgotten])
    await host.files.settle()
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
