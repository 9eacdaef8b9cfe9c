// One service, applied in full or not at all: every step is written down before it is taken, and a failure undoes them all.
import { type Revision, resourceId } from '../../shared/names.ts'
import { PlumbError, type Problem, problemLine, problemsOf } from '../../shared/problem.ts'
import type { Change } from '../../shared/report.ts'
import type { TriggerAction } from '../../shared/resource.ts'
import { type CheckOptions, runCheck } from '../host/checks.ts'
import { runTools } from '../host/tools.ts'
import { runTrigger } from '../host/triggers.ts'
import type { ServicePlan } from '../plan/plan.ts'
import type { Step } from '../plan/steps.ts'
import type { ApplyHost, ResourceChange } from '../resources/kind.ts'
import { kinds } from '../resources/registry.ts'
import type { ServiceBaseline } from '../state/baseline.ts'
import { type CommitHost, committing } from './committed.ts'
import { ServiceJournal } from './journal.ts'
import { stepText } from './step-text.ts'
import { forget, undo } from './undo.ts'

export type TransactionHost = CommitHost & {
  readonly host: ApplyHost
  readonly revision: Revision
  readonly onChange: (change: Change) => void
  readonly checks: CheckOptions
}

export type TransactionResult =
  | {
      readonly kind: 'committed'
      readonly changes: readonly Change[]
      readonly baseline: ServiceBaseline | undefined
      /** What was kept for an undo and could not be removed. */
      readonly problems: readonly Problem[]
    }
  | {
      readonly kind: 'undone'
      readonly step: string
      readonly problem: Problem
      /** False: the journal is still needed, to try again. */
      readonly isComplete: boolean
    }

export async function applyService(plan: ServicePlan, context: TransactionHost): Promise<TransactionResult> {
  const { host, state } = context
  const journal = new ServiceJournal(plan.service, context.revision, state.journal)
  const changes: Change[] = []
  const started = new Set<string>()
  let step: Step | undefined
  try {
    for (step of plan.steps) {
      const done = await take(step, { plan, context, journal, started })
      for (const change of done) context.onChange(change)
      changes.push(...done)
    }
    step = undefined
    const { baseline, notes } = await committing(plan, journal.records, context)
    await journal.committed(baseline)
    for (const note of notes) context.onChange(note)
    changes.push(...notes)
    return { kind: 'committed', changes, baseline, problems: await forget(journal.records, host) }
  } catch (error) {
    const undoing = await undo(journal.records, host, () => undoneQuietly(journal))
    const problem = failureProblem(plan, error, undoing.problems)
    return { kind: 'undone', step: stepText(step, error), problem, isComplete: undoing.isComplete }
  }
}

type Taking = {
  readonly plan: ServicePlan
  readonly context: TransactionHost
  readonly journal: ServiceJournal
  /** Units that this apply started: they have read the new files already. */
  readonly started: Set<string>
}

async function take(step: Step, taking: Taking): Promise<readonly Change[]> {
  const { context, journal, plan } = taking
  const { run } = context.host
  const { service } = plan
  switch (step.kind) {
    case 'change':
      return changeResources(step, taking)
    case 'tools': {
      await journal.tools(step.tools)
      return (await runTools(step.tools, run)).map((summary) => ({ service, summary }))
    }
    case 'trigger':
      return trigger(step.action, taking)
    case 'check': {
      await runCheck(step.check, run, context.checks)
      return []
    }
  }
}

type ChangeStep = Extract<Step, { kind: 'change' }>

async function changeResources({ resource, changes }: ChangeStep, taking: Taking): Promise<readonly Change[]> {
  const { context, journal, plan } = taking
  const { host } = context
  const kind = kinds[resource]
  if (resource === 'unit') for (const unit of await unitsToStart(changes, host)) taking.started.add(unit)
  await journal.saved(resource, host.files.mark, await kind.save(changes, host))
  const lines = await kind.change(changes, host)
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
  return { resource: id, ...(source === undefined ? {} : { source }) }
}

/** Asked now and not at planning: a package installed since then may have started its unit, with the files it had. */
async function unitsToStart(changes: readonly ResourceChange[], host: ApplyHost): Promise<readonly string[]> {
  const live = await kinds.unit.observe(changes, host)
  return changes.flatMap(({ id, desired }) => {
    if (desired?.kind !== 'unit' || desired.state !== 'running') return []
    const state = live.get(id)?.attributes['state'] ?? 'missing'
    return ['running', 'starting', 'restarting'].includes(state) ? [] : [desired.name]
  })
}

async function trigger(action: TriggerAction, { context, journal, plan, started }: Taking): Promise<readonly Change[]> {
  const { host } = context
  if (action.kind !== 'run') {
    if (started.has(action.unit)) return []
    // So that an undo starts it again when it does not survive this.
    await journal.saved('unit', host.files.mark, await kinds.unit.save([unitSubject(action.unit)], host))
  }
  await journal.trigger(action)
  const summary = await runTrigger(action, host.run)
  return summary === undefined ? [] : [{ service: plan.service, summary }]
}

/** The unit that a trigger speaks to, as a change of nothing. */
function unitSubject(name: string): ResourceChange {
  const id = resourceId('unit', name)
  return { id, desired: undefined, baseline: undefined, live: { attributes: {} }, differences: [] }
}

/** A full disk must not turn a service that was put back into an error of its own: an undo can be done twice. */
async function undoneQuietly(journal: ServiceJournal): Promise<void> {
  try {
    if (journal.records.length > 0) await journal.undone()
  } catch (error) {
    if (!(error instanceof PlumbError)) throw error
  }
}

function failureProblem({ service }: ServicePlan, error: unknown, undoing: readonly Problem[]): Problem {
  const [problem, ...others] = problemsOf(error)
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`
  const left = undoing.length === 0 ? '' : ` Not everything could be put back: ${undoing.map(problemLine).join('; ')}`
  const base = problem ?? { code: 'apply-failed', message: 'it failed for no known reason.' }
  return { ...base, service, message: `${base.message}${more}${left}`.slice(0, 4000) }
}
