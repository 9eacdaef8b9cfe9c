// The running server: when to fetch, judge, send and forget. Nothing else decides that, and the stages meet only here.
import type { Logger } from 'pino'
import type { HostName, Revision } from '../../shared/names.ts'
import type { Report } from '../../shared/report.ts'
import type { AskMessage } from '../agents/gate.ts'
import type { Presence } from '../agents/presence.ts'
import type { Courier } from '../notify/courier.ts'
import { adoptChannels } from '../notify/settle.ts'
import { recordReport } from '../record/record.ts'
import type { Changes } from '../show/changes.ts'
import type { CommitView } from '../show/views.ts'
import { forgetRefusals, forgetRefusalsOf } from '../store/enrolment.ts'
import { deleteHost, findHost, saveLastSeen } from '../store/hosts.ts'
import { forgetCopies, forgetMachine } from '../store/machines.ts'
import type { Db } from '../store/tables.ts'
import { type Clock, later } from './clock.ts'
import type { FleetSource } from './fleet.ts'
import { createJudging } from './judging.ts'
import { createSchedule } from './schedule.ts'

export type ServerLoop = {
  /**
   * A report from its own host; undefined: the host was removed. Resolves when it is stored for good, to the number of rows that
   * it has cost.
   */
  received(report: Report): Promise<number | undefined>
  heard(host: HostName): void
  checked(host: HostName): void
  /** An enrolment was made or refused. */
  enrolmentTried(host: HostName): void
  removeHost(host: HostName): Promise<boolean>
  /** The next machine with the host's key is the known one. False: there is no such host. */
  forgetMachine(host: HostName): Promise<boolean>
  /** A machine that is not the known one showed the host's key. */
  copySeen(host: HostName): void
  /** Fetches and asks every connected agent to sync. */
  syncAll(): Promise<SyncAnswer>
  /** Fetches and asks this host to sync; false: it is not connected. Others are asked only of a new head. */
  syncHost(host: HostName): Promise<boolean>
  /** Judges what is recorded from before, fetches for the first time, and goes on until closed. */
  start(): Promise<void>
  /** A host that checks seldom speaks seldom: it may miss two checks before it counts as silent. */
  silentAfterMs(): number
  /** Does at once what is due by the clock; for tests. */
  tick(): Promise<void>
  close(): Promise<void>
}

export type SyncAnswer = { readonly asked: number; readonly connected: number; readonly revision?: string }

export type LoopParts = {
  readonly db: Db
  readonly clock: Clock
  readonly log: Logger
  readonly presence: Presence
  readonly source: FleetSource
  readonly courier: Courier
  readonly changes: Changes
  /** Asks every connected agent; returns how many there are. */
  askAll(message: AskMessage): number
  /** False: it is not connected. */
  ask(host: HostName, message: AskMessage): boolean
  disconnect(host: HostName): void
  /** Called with a new head: pages ask for its commits soon. */
  headMoved(head: CommitView): Promise<void>
  /** Damaged databases that are still in the data directory. */
  databasesSetAside(): readonly string[]
  /** Those that the repository does not have, as far as it is fetched. */
  missingRevisions(revisions: Iterable<Revision>): Promise<ReadonlySet<Revision>>
  readonly fetchEverySeconds: number
  /** Overrides plumb.yaml. */
  readonly silentAfterSeconds: number | undefined
}

const refusalsKeptMs = 24 * 3600_000
/** A copy tries again every five minutes at the latest: then it is gone, or has a name of its own. */
const copiesKeptMs = 30 * 60_000
/** A host may miss so many checks before it is an alert. */
const checksMissed = 3
/** Applies take their time, too. */
const leastOverdueMs = 15 * 60_000
/** A host that was faster than this server is unknown until the next fetch; one that makes revisions up causes no more than these. */
const fetchAtMostEveryMs = 5000
/** A sync that waits for a slow remote longer than this asks the agents all the same. */
const syncWaitsMs = 20_000

export function createLoop(parts: LoopParts): ServerLoop {
  const { db, clock, log, presence, source, courier, changes } = parts
  const schedule = createSchedule(log)
  // A slow channel is waited for by nobody but itself.
  const sendDue = async () => {
    for (const channel of await courier.due()) schedule.now('send', () => courier.deliver(channel))
  }
  const alertsChanged = () => schedule.now('send', sendDue)
  let fetchedForReportAt = -fetchAtMostEveryMs
  const judging = createJudging({ ...parts, silentAfterMs, checkOverdueAfterMs, alertsChanged })
  const loop: ServerLoop = {
    async received(report) {
      const recorded = await recordReport(db, report, clock.now().toISOString())
      if (recorded.kind === 'host-unknown') return undefined
      if (report.dropped > 0) log.warn({ host: report.host, dropped: report.dropped }, 'the host had to drop reports')
      if (recorded.kind === 'nothing-new') return 0
      log.info({ host: report.host, revision: report.revision, changed: recorded.services }, 'report recorded')
      changes.announce({ noun: 'host', name: report.host })
      for (const service of recorded.services) changes.announce({ noun: 'service', name: service })
      judging.hostChanged(report.host)
      const { revision } = report
      if (revision !== undefined) schedule.now('fetch', () => fetchIfMissing(revision))
      return recorded.rows
    },
    heard(host) {
      presence.heard(host)
      judging.heard(host)
    },
    checked(host) {
      presence.checked(host)
      judging.checked(host)
    },
    enrolmentTried(host) {
      changes.announce({ noun: 'host', name: host })
      judging.fleetChanged()
    },
    async removeHost(host) {
      const removed = await deleteHost(db, host)
      if (!removed) return false
      await forgetRefusalsOf(db, host)
      parts.disconnect(host)
      presence.forget(host)
      log.warn({ host }, 'host removed')
      changes.announce({ noun: 'host', name: host })
      judging.hostChanged(host)
      judging.fleetChanged()
      return true
    },
    async forgetMachine(host) {
      if ((await findHost(db, host)) === undefined) return false
      await forgetMachine(db, host)
      log.warn({ host }, 'machine forgotten')
      judging.hostChanged(host)
      return true
    },
    copySeen: (host) => judging.hostChanged(host),
    async syncAll() {
      const fetched = await Promise.race([lookAtRemote(), after(syncWaitsMs)])
      const asked = fetched?.asked ?? parts.askAll({ type: 'sync' })
      const revision = source.state().head?.revision
      return { asked, connected: asked, ...(revision === undefined ? {} : { revision }) }
    },
    async syncHost(host) {
      await Promise.race([lookAtRemote(), after(syncWaitsMs)])
      return parts.ask(host, { type: 'sync' })
    },
    async start() {
      await source.open()
      await repositoryChanged()
      await judging.everything()
      schedule.every(parts.fetchEverySeconds * 1000, 'fetch', async () => void (await lookAtRemote()))
      schedule.every(2000, 'silence', () => judging.lookForSilence())
      schedule.every(30_000, 'fleet', lookAtFleet)
      schedule.every(60_000, 'last seen', rememberLastSeen)
      schedule.every(1000, 'send', sendDue)
      schedule.now('first fetch', async () => void (await lookAtRemote()))
    },
    silentAfterMs,
    async tick() {
      await lookAtFleet()
      await judging.lookForSilence()
      await judging.settled()
      await courier.deliverDue()
    },
    async close() {
      await schedule.close()
      await judging.settled()
      await rememberLastSeen()
    },
  }
  return loop

  async function fetchIfMissing(revision: Revision): Promise<void> {
    if (clock.elapsed() - fetchedForReportAt < fetchAtMostEveryMs) return
    if (!(await parts.missingRevisions([revision])).has(revision)) return
    fetchedForReportAt = clock.elapsed()
    await lookAtRemote()
  }

  /** Agents hear of a new head at once, and each time somebody asked. */
  async function lookAtRemote(): Promise<{ readonly asked?: number }> {
    const before = source.state()
    const { moved, state } = await source.refresh()
    if (state.unreachable !== undefined && before.unreachable === undefined) {
      log.warn({ problem: state.unreachable.problem }, 'the repository cannot be fetched')
    }
    if (state.invalid.length !== before.invalid.length || moved) await repositoryChanged()
    if (state.unreachable?.problem.message !== before.unreachable?.problem.message) judging.fleetChanged()
    return moved ? { asked: parts.askAll({ type: 'sync' }) } : {}
  }

  async function repositoryChanged(): Promise<void> {
    const state = source.state()
    if (state.head === undefined) return
    const { revision, subject } = state.head
    if (state.invalid.length === 0) await adoptChannels(db, state.fleet.alerts, clock.now())
    log.info({ revision, subject, problems: state.invalid.length }, 'the repository is at a revision')
    changes.announce({ noun: 'repository', name: revision })
    judging.fleetChanged()
    await judging.assignmentsChanged()
    const { head } = state
    schedule.now('read history', () => parts.headMoved(head))
  }

  async function lookAtFleet(): Promise<void> {
    await forgetRefusals(db, later(clock.now(), -refusalsKeptMs).toISOString())
    for (const host of await forgetCopies(db, later(clock.now(), -copiesKeptMs).toISOString()))
      judging.hostChanged(host)
    judging.fleetChanged()
    await judging.settled()
  }

  async function rememberLastSeen(): Promise<void> {
    const seen = presence.takeUnsaved()
    if (seen.size > 0) await saveLastSeen(db, seen)
  }

  function checkOverdueAfterMs(): number {
    return Math.max(leastOverdueMs, checksMissed * source.state().fleet.defaults.checkEvery * 1000)
  }

  function silentAfterMs(): number {
    const { silentAfter, checkEvery } = source.state().fleet.defaults
    return (parts.silentAfterSeconds ?? Math.max(silentAfter, checksMissed * checkEvery)) * 1000
  }
}

function after(milliseconds: number): Promise<undefined> {
  return new Promise((resolve) => {
    setTimeout(() => resolve(undefined), milliseconds).unref()
  })
}
