// At the next start: an apply that was killed is finished where it had committed, and undone where it had not - or, when its
// connectivity guard was still waiting and nothing answers any more, undone as a whole.
import type { ServiceName } from '../../shared/names.ts'
import { type Problem, problemsOf } from '../../shared/problem.ts'
import type { Failure } from '../../shared/report.ts'
import type { HostWriter } from '../host/host.ts'
import type { Lock } from '../state/lock.ts'
import type { State } from '../state/state.ts'
import { contactLost, type Guarding, isInContact } from './guard.ts'
import { type ApplyRecord, type JournalRecord, markApply, readJournal, type Saved, undoLog } from './journal.ts'
import { forget, tellAgain, undo } from './undo.ts'

export type Recovery = {
  /** Put back as they were before the apply that was interrupted. */
  readonly undone: readonly ServiceName[]
  readonly finished: readonly ServiceName[]
  readonly problems: readonly Problem[]
}

export type RecoverOptions = {
  readonly lock: Lock
  readonly answering: Guarding['answering']
}

/** To be called under the lock before anything is observed. Twice is as good as once. */
export async function recover(state: State, host: HostWriter, { answering }: RecoverOptions): Promise<Recovery> {
  const { ofServices, ofApply } = readJournal(state.journal)
  const byService = Map.groupBy(ofServices, ({ service }) => service)
  const isCutOff = await wasCutOff(ofServices, ofApply, answering)
  if (isCutOff && !ofApply.some(({ kind }) => kind === 'cut-off')) await markApply('cut-off', state.journal)
  const undone: ServiceName[] = []
  const finished: ServiceName[] = []
  const problems: Problem[] = []
  for (const [service, records] of [...byService].toReversed()) {
    const committed = records.find((record) => record.kind === 'committed')
    const counted = { records, isCutOff }
    const log = undoLog(service, state.journal)
    if (records.some(({ kind }) => kind === 'told')) continue
    if (records.some(({ kind }) => kind === 'undone')) {
      problems.push(...countFailure(service, counted, state), ...(await tellAgain(records, host, log)))
      continue
    }
    if (committed !== undefined && !isCutOff) {
      await recordCommitted(committed, state)
      problems.push(...(await forget(records, host)))
      finished.push(service)
    } else {
      // Before anything is told: that may be what kills us, or reboots the host.
      problems.push(...countFailure(service, counted, state))
      problems.push(...(await undo(records, host, log)).problems)
      undone.push(service)
    }
  }
  if (state.journal.isThere()) await state.journal.remove()
  return { undone, finished, problems }
}

/** Only what was committed can have cut the host off for good: everything else is undone anyway. */
async function wasCutOff(
  ofServices: readonly JournalRecord[],
  ofApply: readonly ApplyRecord[],
  answering: Guarding['answering'],
): Promise<boolean> {
  if (ofApply.some(({ kind }) => kind === 'cut-off')) return true
  const guard = ofApply.find((record) => record.kind === 'guarded')
  if (guard === undefined || ofApply.some(({ kind }) => kind === 'confirmed')) return false
  if (!ofServices.some(({ kind }) => kind === 'committed')) return false
  return !(await isInContact(guard, answering))
}

async function recordCommitted(
  { service, baseline }: Extract<JournalRecord, { kind: 'committed' }>,
  { baselines }: State,
): Promise<void> {
  if (baseline === null) await baselines.remove([service])
  else await baselines.write([baseline])
}

type Counted = { readonly records: readonly JournalRecord[]; readonly isCutOff: boolean }

/**
 * So that a service whose apply kills the agent, or reboots the host, is not tried again and again without a pause. One that failed in
 * the apply itself was counted then, with its cause: only its undo did not end, or was not written down.
 */
function countFailure(service: ServiceName, { records, isCutOff }: Counted, state: State): readonly Problem[] {
  const { failures, journal } = state
  const begun = records.find((record) => record.kind === 'saved')
  if (begun === undefined || isCounted(begun, failures.read().get(service))) return []
  const { revision } = begun
  const problem: Problem = isCutOff ? contactLost : journal.isOwn() ? unfinished : interrupted
  try {
    failures.add({ service, revision, at: new Date(), step: 'apply', problem: { ...problem, service } })
    return []
  } catch (error) {
    return problemsOf(error)
  }
}

function isCounted({ revision, since }: Saved, failure: Failure | undefined): boolean {
  return since !== undefined && failure?.revision === revision && Date.parse(failure.at) >= Date.parse(since)
}

/** In the process that began it: what kept it from its end is in the log. */
const unfinished: Problem = {
  code: 'apply-failed',
  message: 'its apply did not come to its end, and has been undone.',
  remedy: 'It is tried again after a pause. The log says more: journalctl -u plumb',
}

const interrupted: Problem = {
  code: 'apply-failed',
  message: 'its apply was interrupted (the agent was killed, or the host went down) and has been undone.',
  remedy: 'It is tried again after a pause.',
}
