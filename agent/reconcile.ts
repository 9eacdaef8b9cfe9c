// One pass of the running agent: desire, observe, plan, apply, verify -> a report; and the syncs beside it (syncs.ts).
import { type Problem, problemsOf } from '../shared/problem.ts'
import type { ApplyReport, Change, Report, ServiceReport } from '../shared/report.ts'
import type { DesiredHost } from '../shared/resource.ts'
import { runApplyByPolicy } from './apply-by-policy.ts'
import { recoverFirst } from './apply-run.ts'
import { secretsUnchanged } from './desire/secret-digests.ts'
import { secretsOf } from './desire/secrets.ts'
import {
  type Agent,
  type Desired,
  desiredAt,
  type HostInspection,
  inspectHost,
  type NotedDesired,
  serviceReportsOf,
} from './inspect.ts'
import type { LoopTiming, PassRequest } from './loop.ts'
import { type Earlier, notChecked, withEarlierFindings } from './not-checked.ts'
import { buildReport } from './report/build.ts'
import type { AgentRestart } from './state/agent-restart.ts'
import { heldAsNow } from './state/holds.ts'
import { readStatus } from './state/status.ts'
import type { RevisionReader } from './sync/revision.ts'
import { Syncs } from './syncs.ts'

export type ReconcileOutcome = {
  readonly report: Report
  readonly timing: LoopTiming
  /** What the host was looked at for; undefined when no revision could be read. */
  readonly desired: DesiredHost | undefined
  /** Its unit changed: the agent is to be restarted when the report is published. */
  readonly restartsAgent: AgentRestart | undefined
}

export type PassOptions = PassRequest & { readonly onChange: (change: Change) => void }

/** What the loop of one agent does: syncs, and passes beside them. Neither throws: what went wrong is reported. */
export type Reconciler = {
  /** Asks the remote for a new revision, which the next pass applies. True: it answered. */
  sync(stop: AbortSignal): Promise<boolean>
  pass(options: PassOptions): Promise<ReconcileOutcome>
}

export function createReconciler(agent: Agent, syncs = new Syncs(agent)): Reconciler {
  // Recovery comes first of all, also before the network is asked for anything: it may be what the interrupted apply took away.
  let recovery: Promise<Attempt<readonly Problem[]>> | undefined
  let isRecoveryTold = false
  const recovered = () => attempt(() => recoverFirst(agent))
  let latest: NotedDesired | undefined
  const before = readStatus(agent.state.directory)
  let earlier: Earlier = { services: before?.services ?? [], at: before?.at ?? '' }

  const pass = async (options: PassOptions): Promise<ReconcileOutcome> => {
    recovery ??= recovered()
    const recovering = await (isRecoveryTold ? recovered() : recovery)
    isRecoveryTold = true
    const good = await attempt(() => agent.repository.lastGood())
    const known = await attempt(() => unchanged(agent, [latest, syncs.brought], good.value))
    const desired = await desiredNow(agent, good.value, known.value)
    latest = desired.value
    const outcome = desired.value === undefined ? undefined : await applyOrInspect(agent, desired.value, options)
    const now = outcome?.value && withEarlierFindings(outcome.value.services, outcome.value.inspection, earlier)
    if (now !== undefined) earlier = { services: now, at: new Date().toISOString() }
    const reasons = [...desired.problems, ...(outcome?.problems ?? []), ...good.problems, ...syncs.problems]
    const holds = agent.state.holds.read()
    const report = buildReport({
      host: agent.name,
      revision: desired.value?.desired.revision ?? good.value?.revision,
      services: heldAsNow(now ?? notChecked(earlier, reasons), holds),
      problems: [
        recovering,
        { problems: recovering.value ?? [] },
        good,
        { problems: syncs.problems },
        desired,
        outcome,
        outcome?.value,
      ].flatMap((part) => part?.problems ?? []),
      sync: syncs.underWay,
      apply: outcome?.value?.apply,
      personApplies: agent.state.personApplies.take(),
      endedHolds: holds.ended,
    })
    return {
      report,
      timing: desired.value?.desired ?? firstTiming,
      desired: desired.value?.desired,
      restartsAgent: outcome?.value?.restartsAgent,
    }
  }

  return {
    sync: async (stop) => {
      recovery ??= recovered()
      await recovery
      await syncs.sync(stop)
      return !stop.aborted && syncs.problems.length === 0
    },
    pass,
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

/** What a revision says of a host changes only with the values of its secrets: while they are the same it is not worked out twice. */
async function unchanged(
  agent: Agent,
  noted: readonly (NotedDesired | undefined)[],
  good: RevisionReader | undefined,
): Promise<NotedDesired | undefined> {
  const latest = noted.find((one) => one !== undefined && one.desired.revision === good?.revision)
  if (latest === undefined) return undefined
  return (await secretsUnchanged(latest.secrets, await secretsOf(agent.secretsDirectory))) ? latest : undefined
}

async function desiredNow(
  agent: Agent,
  good: RevisionReader | undefined,
  known: NotedDesired | undefined,
): Promise<Attempt<NotedDesired | undefined>> {
  if (known !== undefined) return { value: known, problems: [] }
  return attempt(async () => good && (await desiredAt(agent, good)))
}

type Outcome = {
  readonly inspection: HostInspection
  readonly services: readonly ServiceReport[]
  readonly apply?: ApplyReport | undefined
  readonly restartsAgent?: AgentRestart | undefined
  readonly problems: readonly Problem[]
}

/** Where nothing can be applied - a full disk has no room for a lock - the host is still looked at. */
async function applyOrInspect(agent: Agent, desired: Desired, options: PassOptions): Promise<Attempt<Outcome>> {
  const run = await attempt(() => actUnderLock(agent, desired, options))
  const [reason] = run.problems
  // What somebody else is changing at this moment would look like drift.
  if (reason === undefined || reason.code === 'locked') return run
  const inspected = await attempt(async () => outcomeOf(agent, await inspectHost(agent, desired, options)))
  return { value: inspected.value, problems: [...run.problems, ...inspected.problems] }
}

async function actUnderLock(agent: Agent, desired: Desired, { full, onChange }: PassOptions): Promise<Outcome> {
  const lock = await agent.state.lock({ purpose: 'plumb agent', now: new Date(), waitSeconds: 600 })
  try {
    const run = await runApplyByPolicy(agent, desired, lock, { full, onChange })
    const { problems, ...outcome } = await outcomeOf(agent, run.inspection)
    const { report: apply, restartsAgent } = run
    return { ...outcome, apply, restartsAgent, problems: [...run.problems, ...problems] }
  } finally {
    lock.release()
  }
}

async function outcomeOf(agent: Agent, inspection: HostInspection): Promise<Outcome> {
  const unseen = inspection.comparison.services.flatMap(({ problems }) => problems)
  return {
    inspection,
    services: await serviceReportsOf(agent, inspection),
    problems: [...inspection.problems, ...unseen],
  }
}
