// One pass of the running agent: sync, desire, observe, plan, apply, verify -> a report. Never throws: what went wrong is reported.
import type { Revision } from '../shared/names.ts'
import { type Problem, problemsOf } from '../shared/problem.ts'
import type { ApplyReport, Change, Report, ServiceReport } from '../shared/report.ts'
import type { DesiredHost } from '../shared/resource.ts'
import { actOn, recoverFirst } from './act.ts'
import { isStillAs } from './desire/noted-secrets.ts'
import { secretsOf } from './desire/secrets.ts'
import { type Agent, type Desired, desireAt, type Look, lookAt, type NotedDesired, serviceReportsOf } from './look.ts'
import type { LoopTiming, PassRequest } from './loop.ts'
import { reportOf } from './report-of.ts'
import { heldAsNow } from './state/holds.ts'
import { readStatus } from './state/status.ts'
import type { RevisionReader } from './sync/revision.ts'

export type PassOutcome = {
  readonly report: Report
  readonly timing: LoopTiming
  /** What the host was looked at for; undefined when no revision could be read. */
  readonly desired: DesiredHost | undefined
}

export type PassOptions = PassRequest & { readonly onChange: (change: Change) => void }

/** A pass for one agent; what the last sync ran into is told by every pass until the next sync. */
export function passesOf(agent: Agent): (options: PassOptions) => Promise<PassOutcome> {
  let fromSync: readonly Problem[] = []
  let latest: NotedDesired | undefined
  let services: readonly ServiceReport[] = readStatus(agent.state.directory)?.services ?? []
  return async (options) => {
    const recovered = await attempt(() => recoverFirst(agent))
    const good = await attempt(() => agent.repository.lastGood())
    const head = options.sync || good.value === undefined ? await headOf(agent, good.value?.revision) : undefined
    if (head !== undefined) fromSync = head.problems
    const known = head?.value ?? (await attempt(() => unchanged(agent, latest, good.value))).value
    const desired = await desiredNow(agent, good.value, known)
    latest = desired.value
    const outcome = desired.value === undefined ? undefined : await actOrLook(agent, desired.value, options)
    // A pass that could not look says what was seen last: a service is not gone because nobody could look.
    services = outcome?.value?.services ?? services
    const holds = agent.state.holds.read()
    const report = reportOf({
      host: agent.name,
      revision: desired.value?.desired.revision ?? good.value?.revision,
      services: heldAsNow(services, holds),
      problems: [
        recovered,
        { problems: recovered.value ?? [] },
        good,
        { problems: fromSync },
        desired,
        outcome,
        outcome?.value,
      ].flatMap((part) => part?.problems ?? []),
      apply: outcome?.value?.apply,
      endedHolds: holds.ended,
    })
    return { report, timing: desired.value?.desired ?? firstTiming, desired: desired.value?.desired }
  }
}

/** Until plumb.yaml could be read once. */
const firstTiming: LoopTiming = { syncEverySeconds: 60, checkEverySeconds: 60 }

type Attempt<T> = { readonly value: T | undefined; readonly problems: readonly Problem[] }

async function attempt<T>(work: () => Promise<T>): Promise<Attempt<T>> {
  try {
    return { value: await work(), problems: [] }
  } catch (error) {
    return { value: undefined, problems: problemsOf(error) }
  }
}

/** Desired and accepted, when the head moved; a head that cannot be desired leaves the last good revision in force. */
function headOf(agent: Agent, good: Revision | undefined): Promise<Attempt<NotedDesired | undefined>> {
  return attempt(async () => {
    const head = await agent.repository.sync({ allowRewind: false })
    if (head.revision === good) return undefined
    const desired = await desireAt(agent, head)
    await agent.repository.accept(head.revision)
    return desired
  })
}

/** What a revision says of a host changes only with the values of its secrets: while they are the same it is not worked out twice. */
async function unchanged(
  agent: Agent,
  latest: NotedDesired | undefined,
  good: RevisionReader | undefined,
): Promise<NotedDesired | undefined> {
  if (latest === undefined || latest.desired.revision !== good?.revision) return undefined
  return (await isStillAs(latest.secrets, await secretsOf(agent.secretsDirectory))) ? latest : undefined
}

async function desiredNow(
  agent: Agent,
  good: RevisionReader | undefined,
  known: NotedDesired | undefined,
): Promise<Attempt<NotedDesired | undefined>> {
  if (known !== undefined) return { value: known, problems: [] }
  return attempt(async () => good && (await desireAt(agent, good)))
}

type Outcome = {
  readonly services: readonly ServiceReport[]
  readonly apply?: ApplyReport | undefined
  readonly problems: readonly Problem[]
}

/** Where nothing can be applied - a full disk has no room for a lock - the host is still looked at. */
async function actOrLook(agent: Agent, desired: Desired, options: PassOptions): Promise<Attempt<Outcome>> {
  const acted = await attempt(() => actUnderLock(agent, desired, options))
  const [reason] = acted.problems
  // What somebody else is changing at this moment would look like drift.
  if (reason === undefined || reason.code === 'locked') return acted
  const looked = await attempt(async () => outcomeOf(agent, await lookAt(agent, desired, options)))
  return { value: looked.value, problems: [...acted.problems, ...looked.problems] }
}

async function actUnderLock(agent: Agent, desired: Desired, { full, onChange }: PassOptions): Promise<Outcome> {
  const lock = await agent.state.lock({ purpose: 'plumb agent', now: new Date(), waitSeconds: 600 })
  try {
    const acted = await actOn(agent, desired, lock, { repair: 'by-policy', full, onChange })
    const { services, problems } = await outcomeOf(agent, acted.look)
    return { services, apply: acted.report, problems: [...acted.problems, ...problems] }
  } finally {
    lock.release()
  }
}

async function outcomeOf(agent: Agent, look: Look): Promise<Outcome> {
  const unseen = look.comparison.services.flatMap(({ problems }) => problems)
  return { services: await serviceReportsOf(agent, look), problems: [...look.problems, ...unseen] }
}
