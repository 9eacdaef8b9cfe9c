// In: a plan. Out: what was changed and what failed. The only stage that writes to the host.
import type { ServiceName } from '../../shared/names.ts'
import { problemLine } from '../../shared/problem.ts'
import type { Plan, ServicePlan } from '../plan/plan.ts'
import type { Waiting } from '../resources/kind.ts'
import { Baton } from './baton.ts'
import { commit, recordUnchanged } from './commit.ts'
import { conclude } from './conclude.ts'
import type { ApplyContext, ApplyOptions } from './context.ts'
import type { ApplyResult, ServiceOutcome } from './result.ts'
import { rollBack } from './rollback.ts'
import { overlaps } from './shared-changes.ts'
import { stability, waitText } from './stability.ts'
import { start } from './start.ts'
import { steps } from './steps.ts'
import { openTransaction } from './transaction.ts'

/**
 * In the order of the plan; while one service waits for stability, health or its checks, those that are not after it go on. One that fails
 * is put back as it was.
 */
export async function applyPlan(plan: Plan, options: ApplyOptions): Promise<ApplyResult> {
  const context = await start(plan, options)
  await applyServices(context)
  await conclude(context)
  return resultOf(context)
}

/** All of it or nothing: what fails on the way is rolled back. */
async function applyService(
  servicePlan: ServicePlan,
  waiting: Waiting,
  context: ApplyContext,
): Promise<ServiceOutcome> {
  const transaction = openTransaction(servicePlan, waiting, context)
  try {
    await steps(transaction, context)
    await stability(transaction, context)
    await commit(transaction, context)
  } catch (error) {
    return rollBack(transaction, error, context)
  }
  return { kind: 'applied', service: servicePlan.service, changes: transaction.changes }
}

/** Each begins when those that it is after, and those whose paths overlap with its own, have ended; also when one throws, all have ended when this does. */
async function applyServices(context: ApplyContext): Promise<void> {
  const baton = new Baton(sayingWaits(context))
  const ended = new Map<ServiceName, Promise<void>>()
  const overlapping = overlaps(context.plan.services)
  for (const [order, servicePlan] of context.plan.services.entries()) {
    const { service, after } = servicePlan
    const act = async (waiting: Waiting) => {
      context.outcomes.set(service, await outcomeOf(servicePlan, waiting, context))
    }
    // Nothing to change and nothing to record: true of nearly every service in every pass, so it takes no turn.
    if (servicePlan.steps.length === 0 && servicePlan.isRecorded) {
      await act((wait) => wait())
      continue
    }
    const awaited = [...after, ...(overlapping.get(service) ?? [])]
    const earlier = awaited.flatMap((name) => ended.get(name) ?? [])
    const work = async () => {
      await Promise.allSettled(earlier)
      await baton.act(order, act)
    }
    ended.set(service, work())
  }
  const results = await Promise.allSettled(ended.values())
  for (const result of results) if (result.status === 'rejected') throw result.reason
}

async function outcomeOf(servicePlan: ServicePlan, waiting: Waiting, context: ApplyContext): Promise<ServiceOutcome> {
  const { service, held } = servicePlan
  if (held !== undefined) return { kind: 'held', service, hold: held }
  const reason = reasonToSkip(servicePlan, context)
  if (reason !== undefined) return { kind: 'skipped', service, reason }
  if (servicePlan.steps.length > 0) return applyService(servicePlan, waiting, context)
  await recordUnchanged(servicePlan, context)
  return { kind: 'unchanged', service }
}

function reasonToSkip(
  { blocked, waits, after, steps }: ServicePlan,
  { outcomes, stop }: ApplyContext,
): string | undefined {
  const [problem] = blocked
  if (problem !== undefined) return problemLine(problem)
  if (waits !== undefined) return waits.text
  if (steps.length === 0) return undefined
  const stopped = after.find((earlier) => ['failed', 'skipped'].includes(outcomes.get(earlier)?.kind ?? ''))
  if (stopped !== undefined) return `${stopped}, which it is after, was not applied.`
  return stop?.aborted === true ? 'it was stopped before.' : undefined
}

/** What is waited for while nothing is done, each time it is something else. */
function sayingWaits({ settling, onWait }: ApplyContext): () => void {
  let said = ''
  return () => {
    if (settling.size === 0) return
    const text = waitText([...settling.values()])
    if (text !== said) onWait?.(text)
    said = text
  }
}

function resultOf({ plan, outcomes, problems, now }: ApplyContext): ApplyResult {
  const services = plan.services.flatMap(({ service }) => outcomes.get(service) ?? [])
  return { revision: plan.revision, at: now().toISOString(), services, problems }
}
