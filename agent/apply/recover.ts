// At the next start: an apply that was killed is finished where it had committed, and undone where it had not.
import type { ServiceName } from '../../shared/names.ts'
import { type Problem, problemsOf } from '../../shared/problem.ts'
import type { HostWriter } from '../host/host.ts'
import type { Lock } from '../state/lock.ts'
import type { State } from '../state/state.ts'
import { type JournalRecord, markUndone, recordsIn } from './journal.ts'
import { forget, undo } from './undo.ts'

export type Recovery = {
  /** Put back as they were before the apply that was interrupted. */
  readonly undone: readonly ServiceName[]
  readonly finished: readonly ServiceName[]
  readonly problems: readonly Problem[]
}

/** To be called under the lock before anything is observed. Twice is as good as once. */
export async function recover(state: State, host: HostWriter, _lock: Lock): Promise<Recovery> {
  const byService = Map.groupBy(recordsIn(state.journal), ({ service }) => service)
  const undone: ServiceName[] = []
  const finished: ServiceName[] = []
  const problems: Problem[] = []
  for (const [service, records] of [...byService].toReversed()) {
    const committed = records.find((record) => record.kind === 'committed')
    if (committed !== undefined) {
      await recordCommitted(committed, state)
      problems.push(...(await forget(records, host)))
      finished.push(service)
    } else if (!records.some(({ kind }) => kind === 'undone')) {
      const undoing = await undo(records, host, () => markUndone(service, state.journal))
      problems.push(...undoing.problems)
      problems.push(...countFailure(service, records, state))
      undone.push(service)
    }
  }
  if (byService.size > 0) await state.journal.remove()
  return { undone, finished, problems }
}

async function recordCommitted(
  { service, baseline }: Extract<JournalRecord, { kind: 'committed' }>,
  { baselines }: State,
): Promise<void> {
  if (baseline === null) await baselines.remove([service])
  else await baselines.write([baseline])
}

/** So that a service whose apply kills the agent, or reboots the host, is not tried again and again without a pause. */
function countFailure(
  service: ServiceName,
  records: readonly JournalRecord[],
  { failures }: State,
): readonly Problem[] {
  const revision = records.find((record) => record.kind === 'saved')?.revision
  if (revision === undefined) return []
  const problem = {
    code: 'apply-failed',
    message: 'its apply was interrupted (the agent was killed, or the host went down) and has been undone.',
    remedy: 'It is tried again after a pause.',
    service,
  } as const
  try {
    failures.add({ service, revision, at: new Date(), step: 'apply', problem })
    return []
  } catch (error) {
    return problemsOf(error)
  }
}
