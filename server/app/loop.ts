// The loop of the running server: decides when to fetch, judge, send and trim. Stages are composed only here.

import type { Logger } from 'pino'
import { compact } from '../../shared/compact.ts'
import type { HostName, Revision } from '../../shared/names.ts'
import type { Presence } from '../agents/presence.ts'
import type { Courier } from '../notify/courier.ts'
import { syncChannels } from '../notify/write-alerts.ts'
import type { CommitView } from '../show/views.ts'
import { forgetRefusals } from '../store/enrollment.ts'
import { saveLastSeen } from '../store/hosts.ts'
import { forgetCopies } from '../store/machines.ts'
import type { Db } from '../store/tables.ts'
import { type Clock, later } from './clock.ts'
import type { EventFeed } from './events.ts'
import type { FleetSource } from './fleet.ts'
import type { Judging } from './judging.ts'
import { createSchedule, type Schedule } from './schedule.ts'
import { type Agents, type AskedAll, type AskedHost, createSyncAsks, type SyncAsks } from './sync-asks.ts'

export type SyncAnswer = AskedAll & { readonly connected: number; readonly revision?: string }

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
  /** Called with a new head, to warm the caches that pages read. */
  readHistory(head: CommitView): Promise<void>
  /** The given revisions that are missing from the clone. */
  missingRevisions(revisions: Iterable<Revision>): Promise<ReadonlySet<Revision>>
  readonly fetchEverySeconds: number
}

const refusalsKeptMs = 24 * 3600_000
/** A copied machine retries at least every five minutes. After this time it is gone or enrolled under its own name. */
const copiesKeptMs = 30 * 60_000
/**
 * A host that was faster than this server is unknown until the next fetch; one that makes revisions up causes no more
 * than these.
 */
const fetchAtMostEveryMs = 5000
/** How long a sync waits for a slow remote before it asks the agents anyway. */
const syncWaitsMs = 20_000

export class ServerLoop {
  readonly #parts: LoopParts
  readonly #schedule: Schedule
  readonly #asks: SyncAsks
  #fetchedForReportAt = -fetchAtMostEveryMs

  constructor(parts: LoopParts) {
    this.#parts = parts
    this.#schedule = createSchedule(parts.log)
    this.#asks = createSyncAsks(parts.agents, parts.clock)
    parts.events.subscribe(['connection-changed', 'host-removed'], ({ host }) => this.#asks.forget(host))
    parts.events.subscribe(['alerts-changed'], () => this.#schedule.now('send', () => this.#sendDue()))
    parts.events.subscribe(['report-recorded'], ({ revision }) => {
      if (revision !== undefined) this.#schedule.now('fetch', () => this.#fetchIfMissing(revision))
    })
  }

  /** Fetches and asks every connected agent to sync; one that was asked just now a little later, unless there is a new head. */
  async syncAll(): Promise<SyncAnswer> {
    const { isCurrent, asked } = await this.#fetchForSync()
    const all = asked ?? this.#asks.askAll(!isCurrent)
    const revision = this.#parts.source.state().head?.revision
    return { ...all, connected: all.asked + all.alreadyAsked, ...compact({ revision }) }
  }

  /** Fetches, then asks this host to sync; other hosts only when there is a new head. */
  async syncHost(host: HostName): Promise<AskedHost> {
    const { isCurrent, asked } = await this.#fetchForSync()
    // A new head was sent to all.
    const answer = this.#asks.askHost(host, !isCurrent)
    return asked !== undefined && answer === 'already-asked' ? 'asked' : answer
  }

  /** `isCurrent`: agents would find nothing that this server does not know. */
  async #fetchForSync(): Promise<{ readonly isCurrent: boolean; readonly asked?: AskedAll }> {
    const fetched = await Promise.race([this.#fetchRemote(), after(syncWaitsMs)])
    const isReached = fetched !== undefined && this.#parts.source.state().unreachable === undefined
    return { isCurrent: isReached, ...compact({ asked: fetched?.asked }) }
  }

  /** Judges the recorded state, fetches once, then runs until closed. */
  async start(): Promise<void> {
    const { source, judging, fetchEverySeconds } = this.#parts
    const schedule = this.#schedule
    const fetch = async () => void (await this.#fetchRemote())
    await source.open()
    await this.#repositoryChanged()
    await judging.everything()
    schedule.every(fetchEverySeconds * 1000, 'fetch', fetch)
    schedule.every(2000, 'silence', () => judging.findOffline())
    schedule.every(30_000, 'fleet', () => this.#judgeFleet())
    schedule.every(60_000, 'last seen', () => this.#rememberLastSeen())
    schedule.every(1000, 'send', () => this.#sendDue())
    schedule.every(1000, 'sync asks', async () => this.#asks.askDue())
    schedule.now('first fetch', fetch)
  }

  /** Runs at once whatever is due; for tests. */
  async tick(): Promise<void> {
    const { judging, courier } = this.#parts
    await this.#judgeFleet()
    await judging.findOffline()
    await judging.idle()
    await courier.deliverDue()
  }

  async close(): Promise<void> {
    await this.#schedule.close()
    await this.#parts.judging.idle()
    await this.#rememberLastSeen()
  }

  /** A slow channel delays only its own messages. */
  async #sendDue(): Promise<void> {
    const { courier } = this.#parts
    for (const channel of await courier.due()) this.#schedule.now('send', () => courier.deliver(channel))
  }

  async #fetchIfMissing(revision: Revision): Promise<void> {
    const { clock, missingRevisions } = this.#parts
    if (clock.elapsed() - this.#fetchedForReportAt < fetchAtMostEveryMs) return
    if (!(await missingRevisions([revision])).has(revision)) return
    this.#fetchedForReportAt = clock.elapsed()
    await this.#fetchRemote()
  }

  /** Agents are asked to sync at once on a new head, and on each request of a person. */
  async #fetchRemote(): Promise<{ readonly asked?: AskedAll }> {
    const { source, log, judging } = this.#parts
    const before = source.state()
    const { moved, state } = await source.refresh()
    if (state.unreachable !== undefined && before.unreachable === undefined) {
      log.warn({ problem: state.unreachable.problem }, 'the repository cannot be fetched')
    }
    if (state.invalid.length !== before.invalid.length || moved) await this.#repositoryChanged()
    if (state.unreachable?.problem.message !== before.unreachable?.problem.message) judging.fleetChanged()
    return moved ? { asked: this.#asks.askAll(true) } : {}
  }

  async #repositoryChanged(): Promise<void> {
    const { source, db, clock, log, events, judging, readHistory } = this.#parts
    const { head, invalid, fleet } = source.state()
    if (head === undefined) return
    const { revision, subject } = head
    if (invalid.length === 0) await syncChannels(db, fleet.alerts, clock.now())
    log.info({ revision, subject, problems: invalid.length }, 'the repository is at a revision')
    events.emit({ kind: 'repository-changed', revision })
    judging.fleetChanged()
    await judging.assignmentsChanged()
    this.#schedule.now('read history', () => readHistory(head))
  }

  async #judgeFleet(): Promise<void> {
    const { db, clock, events, judging } = this.#parts
    await forgetRefusals(db, later(clock.now(), -refusalsKeptMs).toISOString())
    for (const host of await forgetCopies(db, later(clock.now(), -copiesKeptMs).toISOString()))
      events.emit({ kind: 'machines-forgotten', host })
    judging.fleetChanged()
    await judging.idle()
  }

  async #rememberLastSeen(): Promise<void> {
    const { presence, db } = this.#parts
    const seen = presence.takeUnsaved()
    if (seen.size > 0) await saveLastSeen(db, seen)
  }
}

function after(milliseconds: number): Promise<undefined> {
  return new Promise((resolve) => {
    setTimeout(() => resolve(undefined), milliseconds).unref()
  })
}
