// Acting, composed for the running agent and for the verbs alike: under the lock, what was interrupted is recovered, then the
// host is looked at, planned for and applied to, and looked at again.
import type { ServiceName } from '../shared/names.ts'
import type { Problem } from '../shared/problem.ts'
import type { ApplyReport, Change } from '../shared/report.ts'
import { type ApplyResult, applyPlan, applyReport } from './apply/apply.ts'
import { recover } from './apply/recover.ts'
import { answering } from './host/contact.ts'
import { type Agent, type Desired, type Look, lookAt, maskOf } from './look.ts'
import { type PlanOptions, planFor, servicesToTry } from './plan/plan.ts'
import { waitingRemoval } from './plan/removal.ts'
import { noteDrift, noteRepairs, repairsDone, repairsFound } from './repairs.ts'
import type { Lock } from './state/lock.ts'

export type ActOptions = {
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

export type Acted = {
  /** After the apply. */
  readonly look: Look
  readonly result: ApplyResult
  /** Undefined when nothing changed and nothing failed. */
  readonly report: ApplyReport | undefined
  readonly problems: readonly Problem[]
}

/** The caller holds the lock, so that what is observed still holds when it is applied to. */
export async function actOn(agent: Agent, desired: Desired, lock: Lock, options: ActOptions): Promise<Acted> {
  const answers = () => answering(agent.contacts)
  const recovery = await recover(agent.state, agent.host, { lock, answering: answers })
  for (const service of recovery.undone) options.onChange?.({ service, summary: putBackFirst })
  const before = await lookAt(agent, desired, options)
  noteDrift(agent, before, new Date())
  const removal = options.allowRemoval === true ? undefined : waitingRemoval(before.comparison)
  const planned = planFor(before.comparison, planOptions(agent, before, options))
  const plan = removal === undefined ? planned : { ...planned, services: [] }
  const mask = await maskOf(agent, before)
  const byPolicy = options.repair === 'by-policy'
  const found = byPolicy ? await repairsFound(agent, before, plan) : []
  const ended = plan.services.some(({ steps }) => steps.length > 0)
    ? agent.state.applies.begin(plan.revision, () => new Date())
    : undefined
  const result = await applyPlan(plan, {
    host: agent.host,
    state: agent.state,
    contents: desired.contents,
    lock,
    now: () => new Date(),
    mask: mask.text,
    ...(agent.host.capabilities.commands
      ? { guarding: { answering: answers, withinSeconds: desired.desired.connectivityGuardSeconds } }
      : {}),
    ...(options.stop === undefined ? {} : { stop: options.stop }),
    ...(options.onChange === undefined ? {} : { onProgress: options.onChange }),
    ...(options.onWait === undefined ? {} : { onWait: options.onWait }),
  })
  ended?.()
  noteRepairs(agent, plan, { result, byPolicy, now: new Date() })
  const report = applyReport(result, repairsDone(found, result))
  const isOld = plan.services.some(({ isRecorded }) => !isRecorded) || report !== undefined
  const look = isOld ? await lookAt(agent, desired, { full: false }) : before
  return {
    look,
    result,
    report,
    problems: [
      ...recovery.problems,
      ...before.problems,
      ...result.problems,
      ...(removal === undefined ? [] : [removal]),
    ],
  }
}

const putBackFirst = 'put back as it was before an apply that was interrupted'

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

function planOptions({ state }: Agent, { comparison, holds }: Look, { repair }: ActOptions): PlanOptions {
  const holdOf = holds.of
  if (repair === 'everything') return { repair, holdOf }
  const now = new Date()
  const mayTry = (service: ServiceName) => state.failures.mayTry(service, comparison.revision, now)
  return { repair, holdOf, fighting: state.repairs.fights(), services: servicesToTry(comparison, mayTry) }
}
