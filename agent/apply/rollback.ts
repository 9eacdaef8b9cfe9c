// A service that failed is put back as it was, and counted. One that was committed is, too, while its apply is not confirmed.
import type { ServiceName } from '../../shared/names.ts'
import { boundedProblem, PlumbError, type Problem, problemLine, problemsOf } from '../../shared/problem.ts'
import { agentUnit } from '../../shared/repository/reserved.ts'
import { checkText } from '../host/checks.ts'
import { kinds } from '../resources/registry.ts'
import { actionText } from '../resources/trigger-text.ts'
import { type ApplyContext, type Transaction, tolerate } from './context.ts'
import type { ServiceJournal, UndoLog } from './journal.ts'
import type { ServiceOutcome } from './result.ts'
import { settleText } from './stability.ts'
import { undo } from './undo.ts'

/** `step`: what failed, where that was no step of its own. */
export async function rollBack(
  transaction: Transaction,
  error: unknown,
  context: ApplyContext,
  step = stepText(transaction.at, error),
): Promise<ServiceOutcome> {
  const { journal, containers, servicePlan } = transaction
  const { service } = servicePlan
  const { problems, isComplete } = await undo(journal.records, context.host, quietly(journal))
  await containers.startAgain()
  if (!isComplete) context.halfUndone.add(service)
  const problem = boundedProblem({ ...failureProblem(error, problems), service })
  return failed(service, { problem, step }, context)
}

type Cause = { readonly problem: Problem; readonly step: string }

async function failed(service: ServiceName, { problem, step }: Cause, context: ApplyContext): Promise<ServiceOutcome> {
  const { failures } = context.state
  const { revision } = context.plan
  const mask = context.mask ?? ((text: string) => text)
  const masked = { ...problem, message: mask(problem.message) }
  const at = context.now()
  const failure = { revision, at: at.toISOString(), step: mask(step).slice(0, 500), problem: masked, attempts: 1 }
  await tolerate(context, () => failures.add({ service, revision, at, step: failure.step, problem: masked }))
  return { kind: 'failed', service, failure: failures.read().get(service) ?? failure }
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

function failureProblem(error: unknown, undoing: readonly Problem[]): Problem {
  const [problem, ...others] = problemsOf(error)
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`
  const left =
    undoing.length === 0 ? '' : ` Not everything could be rolled back: ${undoing.map(problemLine).join('; ')}`
  const base = problem ?? { code: 'apply-failed', message: 'it failed for no known reason.' }
  return { ...base, message: `${base.message}${more}${left}` }
}

/** The step that failed, for people: `validate /etc/caddy/Caddyfile`, `restart caddy.service`. */
function stepText(step: Transaction['at'], error: unknown): string {
  const [problem] = problemsOf(error)
  const invalid = problem?.code === 'validation-failed' ? problem.where?.file : undefined
  if (invalid !== undefined) return `validate ${invalid}`
  if (step === undefined) return 'record what was applied'
  switch (step.kind) {
    case 'change':
      return kinds[step.resource].stepText(problem?.where?.file)
    case 'tools':
      return `run ${step.tools.map(({ command }) => command.args[0]).join(', ')}`
    case 'validate':
      return `validate with ${step.command}`
    case 'trigger':
      return actionText(step.action)
    case 'check':
      return `check ${checkText(step.check)}`
    case 'restart-agent':
      return `restart ${agentUnit}`
    case 'settling':
      return settleText(step)
  }
}
