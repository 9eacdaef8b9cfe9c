// The last phase of an apply: when contact is kept, what was there before is forgotten and the baselines are written; when it is lost,
// all of it is rolled back, the last service first.
import { PlumbError } from '../../shared/problem.ts'
import { withoutHandedOver } from '../resources/removal/leaving.ts'
import { type ApplyContext, tolerate } from './context.ts'
import { contactLost, isInContact } from './guard.ts'
import { markApply } from './journal.ts'
import { appliedIn, doneIn } from './result.ts'
import { rollBack } from './rollback.ts'
import { forget } from './undo.ts'

export async function conclude(context: ApplyContext): Promise<void> {
  const { committed, outcomes, problems, state, host } = context
  const isKept = await isContactKept(context)
  if (context.guard !== undefined)
    await tolerate(context, () => markApply(isKept ? 'confirmed' : 'cut-off', state.journal))
  if (!isKept) await rollBackAll(context)
  // Not before: a service that cuts the host off each time has failed each time.
  await tolerate(context, () => state.failures.clear([...doneIn({ services: [...outcomes.values()] })]))
  for (const { journal } of committed) problems.push(...(await forget(journal.records, host)))
  await tolerate(context, () => record(context))
}

async function isContactKept({ guard, guarding, committed, onWait }: ApplyContext): Promise<boolean> {
  if (guard === undefined || guarding === undefined || committed.length === 0) return true
  return isInContact(guard, guarding.answering, onWait)
}

async function rollBackAll(context: ApplyContext): Promise<void> {
  for (const transaction of context.committed.splice(0).toReversed()) {
    const { service } = transaction.servicePlan
    context.baselines.delete(service)
    context.outcomes.set(service, await rollBack(transaction, new PlumbError(contactLost), context, 'stay in contact'))
  }
}

/** Everything is in the journal until the baselines are on disk; what fails now, or was not undone, recover() tries again. */
async function record({ plan, outcomes, baselines, halfUndone, state, host }: ApplyContext): Promise<void> {
  const services = [...outcomes.values()]
  const done = doneIn({ services })
  const known = plan.services
    .filter(({ service }) => baselines.has(service))
    .map(({ service, ...about }) => {
      const baseline = baselines.get(service)
      return { service, baseline: baseline && withoutHandedOver(baseline, about, done) }
    })
  await state.baselines.write(known.flatMap(({ baseline }) => baseline ?? []))
  await state.baselines.remove(known.flatMap(({ service, baseline }) => (baseline === undefined ? [service] : [])))
  await host.files.syncDirectories()
  if (halfUndone.size === 0) await state.journal.remove()
  state.hashes.save()
  if (appliedIn({ services }).size > 0) state.prune()
}
