// One service, applied in full or not at all: every step is written down before it is taken, and a failure undoes them all.
// Two acts, so that services settle side by side: its steps are taken, and later, when what they started has stayed up for its
// settle time, it is committed.
import { compact } from '../../shared/compact.ts'
import type { ResourceId, Revision, ServiceName } from '../../shared/names.ts'
import { boundedProblem, PlumbError, type Problem, problemLine, problemsOf } from '../../shared/problem.ts'
import type { Change } from '../../shared/report.ts'
import { type CheckOptions, runCheck } from '../host/checks.ts'
import type { RunningContainers } from '../host/running-containers.ts'
import { runTools } from '../host/tools.ts'
import { runTrigger } from '../host/triggers.ts'
import { validateTree } from '../host/validate-tree.ts'
import type { ServicePlan } from '../plan/plan.ts'
import type { Step } from '../plan/steps.ts'
import type { ApplyHost, ResourceChange, Waiting } from '../resources/kind.ts'
import { kinds } from '../resources/registry.ts'
import type { ServiceBaseline } from '../state/baseline.ts'
import { begin, unitSubject } from './begin.ts'
import { type CommitHost, committing, takePaths } from './committed.ts'
import { ServiceJournal, type UndoLog } from './journal.ts'
import { type Settling, settled, settleText, settlingOf } from './settling.ts'
import type { NewParents } from './shared-changes.ts'
import { stepText } from './step-text.ts'
import { isPathKind, undo } from './undo.ts'
import { isLastOfPaths, verifyPaths } from './verify.ts'

export type TransactionHost = CommitHost & {
  readonly host: ApplyHost
  readonly revision: Revision
  readonly onChange: (change: Change) => void
  readonly checks: CheckOptions
  readonly containers: RunningContainers
  readonly waiting: Waiting
  readonly newParents: NewParents
  /** By service, what settles now. */
  readonly settling: Map<ServiceName, Settling>
}

/** Every step was taken and every check holds; nothing is committed yet. */
export type Taken = {
  readonly kind: 'taken'
  readonly plan: ServicePlan
  /** With the mark of what this service keeps. */
  readonly host: ApplyHost
  readonly changes: readonly Change[]
  readonly journal: ServiceJournal
  readonly settling: Settling | undefined
}

export type Committed = {
  readonly kind: 'committed'
  readonly plan: ServicePlan
  readonly changes: readonly Change[]
  readonly journal: ServiceJournal
  readonly baseline: ServiceBaseline | undefined
}

export type Undone = {
  readonly kind: 'undone'
  readonly plan: ServicePlan
  readonly step: string
  readonly problem: Problem
  /** False: the journal is still needed, to try again. */
  readonly isComplete: boolean
}

export async function takeSteps(plan: ServicePlan, context: TransactionHost): Promise<Taken | Undone> {
  const journal = new ServiceJournal(
    plan.service,
    { revision: context.revision, since: context.now() },
    context.state.journal,
  )
  // What it passes the baton for comes after its paths: another service may be committed meanwhile.
  const waiting: Waiting = (wait, options) => {
    takePaths(plan, context)
    return context.waiting(wait, options)
  }
  const own = { ...context, host: { ...context.host, files: context.host.files.part(), waiting } }
  const changes: Change[] = []
  const started = new Set<string>()
  const touched = new Set<ResourceId>()
  // The engine's clock is the host's.
  const since = Date.now()
  let step: Step | undefined
  try {
    const saved = await begin(plan, journal, own)
    for (step of plan.steps) {
      const done = await take(step, { plan, context: own, journal, started, touched, saved })
      for (const change of done) context.onChange(change)
      changes.push(...done)
      if (isLastOfPaths(step, plan.steps)) await verifyPaths(plan, own.host.files)
    }
    step = undefined
    takePaths(plan, context)
    return {
      kind: 'taken',
      plan,
      host: own.host,
      changes,
      journal,
      settling: await settlingOf(plan, { ids: touched, since }, own.host),
    }
  } catch (error) {
    return putBack({ plan, journal }, { error, step: stepText(step, error) }, context)
  }
}

/** Once what was started has stayed up for its time; what was there before is kept until `forget`. */
export async function commit(taken: Taken, context: TransactionHost): Promise<Committed | Undone> {
  const { plan, changes, journal, settling } = taken
  let step = settling === undefined ? '' : settleText(settling)
  try {
    if (settling !== undefined) await settle(plan.service, settling, context)
    step = stepText(undefined, undefined)
    const { baseline, notes } = await committing(plan, journal.records, { ...context, host: taken.host })
    await journal.committed(baseline)
    for (const note of notes) context.onChange(note)
    return { kind: 'committed', plan, changes: [...changes, ...notes], journal, baseline }
  } catch (error) {
    return putBack(taken, { error, step }, context)
  }
}

async function settle(service: ServiceName, settling: Settling, context: TransactionHost): Promise<void> {
  context.settling.set(service, settling)
  try {
    await context.waiting(() => settled(settling, () => context.settling.size), { isStarting: false })
  } finally {
    context.settling.delete(service)
  }
}

/** A committed service is put back too while its apply is not confirmed. */
export async function putBack(
  { plan, journal }: Pick<Taken, 'plan' | 'journal'>,
  { error, step }: { readonly error: unknown; readonly step: string },
  { host, containers }: TransactionHost,
): Promise<Undone> {
  const undoing = await undo(journal.records, host, quietly(journal))
  await containers.startAgain()
  const problem = failureProblem(plan, error, undoing.problems)
  return { kind: 'undone', plan, step, problem, isComplete: undoing.isComplete }
}

type Taking = {
  readonly plan: ServicePlan
  readonly context: TransactionHost
  readonly journal: ServiceJournal
  /** Units that this apply started: they have read the new files already. */
  readonly started: Set<string>
  /** Compose projects of which containers were made, started or removed; units that were started or told something. */
  readonly touched: Set<ResourceId>
  /** Units and projects of which the journal says how they were before this apply: a later look would see its own work. */
  readonly saved: Set<ResourceId>
}

async function take(step: Step, taking: Taking): Promise<readonly Change[]> {
  const { context, journal, plan } = taking
  const { run } = context.host
  const { service } = plan
  switch (step.kind) {
    case 'change':
      return ['package', 'unit'].includes(step.resource)
        ? context.containers.across(() => changeResources(step, taking))
        : changeResources(step, taking)
    case 'tools': {
      await journal.tools(step.tools)
      return (await runTools(step.tools, run)).map((summary) => ({ service, summary }))
    }
    case 'validate': {
      await validateTree(step.command, run)
      return []
    }
    case 'trigger':
      return context.containers.across(() => trigger(step, taking))
    case 'check': {
      await context.host.waiting(() => runCheck(step.check, run, context.checks))
      return []
    }
    case 'restart-agent':
      return []
  }
}

type ChangeStep = Extract<Step, { kind: 'change' }>

async function changeResources({ resource, changes }: ChangeStep, taking: Taking): Promise<readonly Change[]> {
  const { context, journal, plan } = taking
  const { host } = context
  const kind = kinds[resource]
  if (resource === 'unit') for (const unit of await unitsToStart(changes, host)) taking.started.add(unit)
  const unsaved = changes.filter(({ id }) => !taking.saved.has(id))
  const saved = await kind.save(unsaved, host)
  await journal.saved(resource, host.files.mark, isPathKind(resource) ? context.newParents.asBefore(saved) : saved)
  if (resource === 'unit') for (const { id } of unsaved) taking.saved.add(id)
  const lines = await kind.change(changes, host)
  if (resource === 'compose' && lines.length > 0) for (const { id } of changes) taking.touched.add(id)
  for (const { id, desired } of changes)
    if (desired?.kind === 'unit' && desired.state === 'running') taking.touched.add(id)
  return lines.map((summary, index) => ({
    service: plan.service,
    summary,
    ...(lines.length === changes.length ? ofResource(changes[index]) : {}),
  }))
}

function ofResource(change: ResourceChange | undefined): Partial<Change> {
  if (change === undefined) return {}
  const { id, desired, baseline } = change
  const source = desired !== undefined && 'source' in desired ? desired.source : baseline?.source
  return { resource: id, ...compact({ source }) }
}

/** Asked now and not at planning: a package installed since then may have started its unit, with the files it had. */
async function unitsToStart(changes: readonly ResourceChange[], host: ApplyHost): Promise<readonly string[]> {
  const live = await kinds.unit.observe(changes, host)
  return changes.flatMap(({ id, desired }) => {
    if (desired?.kind !== 'unit' || desired.state !== 'running') return []
    const state = live.get(id)?.attributes['state'] ?? 'missing'
    // One that waits to be started again is started with the new files, by systemd or by this.
    return ['running', 'starting'].includes(state) ? [] : [desired.name]
  })
}

type TriggerStep = Extract<Step, { kind: 'trigger' }>

async function trigger({ action, dependents = [] }: TriggerStep, taking: Taking): Promise<readonly Change[]> {
  const { context, journal, plan, started, saved } = taking
  const { host } = context
  const units = action.kind === 'run' ? [] : [action.unit, ...dependents]
  if (action.kind !== 'run') {
    if (started.has(action.unit)) return []
    const unsaved = units.map(unitSubject).filter(({ id }) => !saved.has(id))
    // So that an undo starts them again when they do not survive this.
    if (unsaved.length > 0) await journal.saved('unit', host.files.mark, await kinds.unit.save(unsaved, host))
    for (const { id } of unsaved) saved.add(id)
  }
  await journal.trigger(action)
  const summary = await runTrigger(action, host.run)
  if (summary !== undefined) for (const unit of units) taking.touched.add(unitSubject(unit).id)
  if (summary !== undefined) for (const unit of dependents) started.add(unit)
  return summary === undefined ? [] : [{ service: plan.service, summary }]
}

/** A full disk must not turn a service that was put back into an error of its own: an undo can be done twice. */
function quietly({ records, undoing }: ServiceJournal): UndoLog {
  const append = async (work: () => Promise<void>) => {
    try {
      if (records.length > 0) await work()
    } catch (error) {
      if (!(error instanceof PlumbError)) throw error
    }
  }
  return {
    undone: () => append(undoing.undone),
    telling: (action) => append(() => undoing.telling(action)),
    told: () => append(undoing.told),
  }
}

function failureProblem({ service }: ServicePlan, error: unknown, undoing: readonly Problem[]): Problem {
  const [problem, ...others] = problemsOf(error)
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`
  const left =
    undoing.length === 0 ? '' : ` Not everything could be rolled back: ${undoing.map(problemLine).join('; ')}`
  const base = problem ?? { code: 'apply-failed', message: 'it failed for no known reason.' }
  return boundedProblem({ ...base, service, message: `${base.message}${more}${left}` })
}
