// The running server: when to fetch, judge, send and forget. Nothing else decides that, and the stages meet only here.
import type { Logger } from 'pino'
import type { HostName, Revision } from '../../shared/names.ts'
import type { AskMessage } from '../agents/gate.ts'
import type { Presence } from '../agents/presence.ts'
import type { Courier } from '../notify/courier.ts'
import { syncChannels } from '../notify/settle.ts'
import type { CommitView } from '../show/views.ts'
import { forgetRefusals } from '../store/enrolment.ts'
import { saveLastSeen } from '../store/hosts.ts'
import { forgetCopies } from '../store/machines.ts'
import type { Db } from '../store/tables.ts'
import { type Clock, later } from './clock.ts'
import type { EventFeed } from './events.ts'
import type { FleetSource } from './fleet.ts'
import type { Judging } from './judging.ts'
import { createSchedule } from './schedule.ts'

export type ServerLoop = {
  /** Fetches and asks every connected agent to sync. */
  syncAll(): Promise<SyncAnswer>
  /** Fetches and asks this host to sync; false: it is not connected. Others are asked only of a new head. */
  syncHost(host: HostName): Promise<boolean>
  /** Judges what is recorded from before, fetches for the first time, and goes on until closed. */
  start(): Promise<void>
  /** Does at once what is due by the clock; for tests. */
  tick(): Promise<void>
  close(): Promise<void>
}

export type SyncAnswer = { readonly asked: number; readonly connected: number; readonly revision?: string }

export type LoopParts = {
  readonly db: Db
  readonly clock: Clock
  readonly log: Logger
  readonly events: EventFeed
  readonly presence: Presence
  readonly source: FleetSource
  readonly courier: Courier
  readonly judging: Judging
  readonly agents: Agents
  /** Called with a new head: pages ask for its commits soon. */
  readHistory(head: CommitView): Promise<void>
  /** Those that the repository does not have, as far as it is fetched. */
  missingRevisions(revisions: Iterable<Revision>): Promise<ReadonlySet<Revision>>
  readonly fetchEverySeconds: number
}

export type Agents = {
  /** Asks every connected agent; returns how many there are. */
  sendAll(message: AskMessage): number
  /** False: it is not connected. */
  send(host: HostName, message: AskMessage): boolean
}

const refusalsKeptMs = 24 * 3600_000
/** A copy tries again every five minutes at the latest: then it is gone, or has a name of its own. */
const copiesKeptMs = 30 * 60_000
/** A host that was faster than this server is unknown until the next fetch; one that makes revisions up causes no more than these. */
const fetchAtMostEveryMs = 5000
/** A sync that waits for a slow remote longer than this asks the agents all the same. */
const syncWaitsMs = 20_000

export function createLoop(parts: LoopParts): ServerLoop {
  const { db, clock, log, events, presence, source, courier, judging, agents } = parts
  const schedule = createSchedule(log)
  let fetchedForReportAt = -fetchAtMostEveryMs
  events.subscribe(['alerts-changed'], () => schedule.now('send', sendDue))
  events.subscribe(['report-recorded'], ({ revision }) => {
    if (revision !== undefined) schedule.now('fetch', () => fetchIfMissing(revision))
  })
  return {
    async syncAll() {
      const fetched = await Promise.race([lookAtRemote(), after(syncWaitsMs)])
      const asked = fetched?.asked ?? agents.sendAll({ type: 'sync' })
      const revision = source.state().head?.revision
      return { asked, connected: asked, ...(revision === undefined ? {} : { revision }) }
    },
    async syncHost(host) {
      await Promise.race([lookAtRemote(), after(syncWaitsMs)])
      return agents.send(host, { type: 'sync' })
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
    async tick() {
      await lookAtFleet()
      await judging.lookForSilence()
      await judging.idle()
      await courier.deliverDue()
    },
    async close() {
      await schedule.close()
      await judging.idle()
      await rememberLastSeen()
    },
  }

  /** A slow channel is waited for by nobody but itself. */
  async function sendDue(): Promise<void> {
    for (const channel of await courier.due()) schedule.now('send', () => courier.deliver(channel))
  }

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
    return moved ? { asked: agents.sendAll({ type: 'sync' }) } : {}
  }

  async function repositoryChanged(): Promise<void> {
    const state = source.state()
    if (state.head === undefined) return
    const { revision, subject } = state.head
    if (state.invalid.length === 0) await syncChannels(db, state.fleet.alerts, clock.now())
    log.info({ revision, subject, problems: state.invalid.length }, 'the repository is at a revision')
    events.emit({ kind: 'repository-changed', revision })
    judging.fleetChanged()
    await judging.assignmentsChanged()
    const { head } = state
    schedule.now('read history', () => parts.readHistory(head))
  }

  async function lookAtFleet(): Promise<void> {
    await forgetRefusals(db, later(clock.now(), -refusalsKeptMs).toISOString())
    for (const host of await forgetCopies(db, later(clock.now(), -copiesKeptMs).toISOString()))
      events.emit({ kind: 'machines-forgotten', host })
    judging.fleetChanged()
    await judging.idle()
  }

  async function rememberLastSeen(): Promise<void> {
    const seen = presence.takeUnsaved()
    if (seen.size > 0) await saveLastSeen(db, seen)
  }
}

function after(milliseconds: number): Promise<undefined> {
  return new Promise((resolve) => {
    setTimeout(() => resolve(undefined), milliseconds).unref()
  })
}
