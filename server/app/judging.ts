// Decides when to judge: collects hosts that may have changed, reads their facts and writes the alerts, all in one
// transaction. A crash between a report and its alert loses nothing, because everything is judged again at start.

import type { Logger } from 'pino'
import { compact } from '../../shared/compact.ts'
import type { HostName } from '../../shared/names.ts'
import { type AlertChange, judge } from '../judge/judge.ts'
import { writeAlerts } from '../notify/write-alerts.ts'
import { listOpenAlerts, type Scope } from '../store/alerts.ts'
import { insertTransitions } from '../store/history.ts'
import { markEndsNotified } from '../store/holds.ts'
import { findHost, listHostNames } from '../store/hosts.ts'
import type { Db } from '../store/tables.ts'
import type { EventFeed } from './events.ts'
import type { HostDeadlines } from './host-deadlines.ts'
import { assignedTo, type FactParts, missingRevisions, readFleetFacts, readHostFacts } from './judged-facts.ts'

export type JudgingParts = FactParts & {
  readonly log: Logger
  readonly events: EventFeed
  readonly deadlines: HostDeadlines
}

/** Hosts per transaction: bounds how long other writers wait for the database. */
const hostsAtOnce = 100

export class Judging {
  readonly #parts: JudgingParts
  /** Hosts waiting to be judged. */
  readonly #hosts = new Set<HostName>()
  #fleet = false
  /** Hosts with an open alert that a message, or a finished check, may resolve. */
  readonly #offline = new Set<HostName>()
  readonly #overdue = new Set<HostName>()
  readonly #given = new Map<HostName, string | undefined>()
  /** Hosts whose revision was missing from the clone when they were judged. */
  readonly #elsewhere = new Set<HostName>()
  #round: Promise<void> | undefined

  constructor(parts: JudgingParts) {
    this.#parts = parts
    const { events } = parts
    events.subscribe(['report-recorded', 'host-removed', 'machines-forgotten', 'copy-seen'], ({ host }) => {
      this.#judgeSoon(host)
    })
    events.subscribe(['host-removed', 'enrollment-tried'], () => this.fleetChanged())
    // A message from an offline host is a change, and so is a finished check of a host whose check was overdue.
    events.subscribe(['host-heard'], ({ host }) => {
      if (this.#offline.delete(host)) this.#judgeSoon(host)
    })
    events.subscribe(['check-finished'], ({ host }) => {
      if (this.#overdue.delete(host)) this.#judgeSoon(host)
    })
  }

  fleetChanged(): void {
    this.#fleet = true
    this.#start()
  }

  /** Judges again the hosts whose assigned services changed. */
  async assignmentsChanged(): Promise<void> {
    for (const host of await listHostNames(this.#parts.db)) {
      const services = assignedTo(this.#parts.source, host)?.join(' ')
      if (services !== this.#given.get(host)) this.#hosts.add(host)
      this.#given.set(host, services)
    }
    for (const host of this.#elsewhere) this.#hosts.add(host)
    if (this.#hosts.size > 0) this.#start()
  }

  /** Judges hosts that went offline or finish no check. */
  async findOffline(): Promise<void> {
    const { db, presence, deadlines } = this.#parts
    const limit = deadlines.offlineAfterMs()
    for (const host of await listHostNames(db)) {
      const isOffline = !this.#offline.has(host) && presence.unheardForMs(host) >= limit
      const isOverdue = !this.#overdue.has(host) && presence.uncheckedForMs(host) >= deadlines.checkOverdueAfterMs()
      if (isOffline || isOverdue) this.#hosts.add(host)
    }
    if (this.#hosts.size > 0) this.#start()
  }

  /** All hosts and the fleet; called at start. */
  async everything(): Promise<void> {
    const { db } = this.#parts
    for (const { kind, scope, host } of await listOpenAlerts(db)) {
      if (host === undefined) continue
      if (kind === 'host-offline') this.#offline.add(host)
      if (kind === 'check-overdue') this.#overdue.add(host)
      if (scope !== 'fleet') this.#hosts.add(host)
    }
    for (const host of await listHostNames(db)) this.#hosts.add(host)
    this.#fleet = true
    this.#start()
    await this.#round
  }

  /** Resolves when nothing is waiting to be judged. */
  async idle(): Promise<void> {
    while (this.#round !== undefined) await this.#round
  }

  #judgeSoon(host: HostName): void {
    this.#hosts.add(host)
    this.#start()
  }

  #start(): void {
    const { log } = this.#parts
    this.#round ??= this.#rounds()
      .catch((thrown: unknown) => log.error({ err: thrown }, 'alerts could not be judged; retrying'))
      .finally(() => {
        this.#round = undefined
      })
  }

  async #rounds(): Promise<void> {
    // Events of one turn of the event loop are judged together.
    await new Promise((resolve) => setImmediate(resolve))
    while (this.#hosts.size > 0 || this.#fleet) {
      const names = [...this.#hosts].slice(0, hostsAtOnce)
      for (const name of names) this.#hosts.delete(name)
      const withFleet = this.#fleet
      this.#fleet = false
      try {
        this.#announce(await this.#judgeOnce(names, withFleet))
      } catch (thrown) {
        for (const name of names) this.#hosts.add(name)
        this.#fleet ||= withFleet
        throw thrown
      }
    }
  }

  async #judgeOnce(names: readonly HostName[], withFleet: boolean): Promise<readonly AlertChange[]> {
    const { db, clock, source, deadlines } = this.#parts
    const fleetFacts = withFleet ? await readFleetFacts(this.#parts) : undefined
    const now = clock.now()
    // Read before the transaction, because the transaction blocks all other writers.
    const missing = await missingRevisions(this.#parts, names)
    return db.transaction().execute(async (transaction) => {
      const scopes: readonly Scope[] = [
        ...names.map((name) => `host:${name}` as const),
        ...(withFleet ? ['fleet' as const] : []),
      ]
      const hosts = await readHostFacts(this.#parts, transaction, { names, missing })
      for (const { host, isElsewhere } of hosts) this.#elsewhere[isElsewhere ? 'add' : 'delete'](host)
      const changes = judge({
        hosts,
        openAlerts: await listOpenAlerts(transaction, scopes),
        surroundings: {
          offlineAfterMs: deadlines.offlineAfterMs(),
          checkOverdueAfterMs: deadlines.checkOverdueAfterMs(),
          repositoryInvalid: source.state().invalid.length > 0,
        },
        ...compact({ fleet: fleetFacts }),
      })
      await writeAlerts(transaction, changes, now)
      if (names.length > 0) await markEndsNotified(transaction, names)
      await recordOffline(transaction, changes, now.toISOString())
      return changes
    })
  }

  #announce(changes: readonly AlertChange[]): void {
    const { log, events } = this.#parts
    const alerts = changes.map((change) => {
      const { key, kind, host, title } = change.kind === 'resolve' ? change.alert : change.cause
      if (kind === 'host-offline' && host !== undefined && change.kind === 'open') this.#offline.add(host)
      if (kind === 'check-overdue' && host !== undefined)
        this.#overdue[change.kind === 'resolve' ? 'delete' : 'add'](host)
      // The end of the hold is recorded as notified now. Judged again, the alert resolves unless the service still differs.
      if (kind === 'hold-expired' && host !== undefined && change.kind === 'open') this.#hosts.add(host)
      log.info({ alert: key, title }, announced[change.kind])
      return { key, ...compact({ host }) }
    })
    if (alerts.length > 0) events.emit({ kind: 'alerts-changed', alerts })
  }
}

async function recordOffline(transaction: Db, changes: readonly AlertChange[], at: string): Promise<void> {
  for (const change of changes) {
    const cause = change.kind === 'resolve' ? change.alert : change.cause
    if (cause.kind !== 'host-offline' || cause.host === undefined) continue
    if (change.kind !== 'open' && change.kind !== 'resolve') continue
    if ((await findHost(transaction, cause.host)) === undefined) continue
    const to = change.kind === 'open' ? 'offline' : 'online again'
    await insertTransitions(transaction, cause.host, [{ at, to }])
  }
}

const announced: Readonly<Record<AlertChange['kind'], string>> = {
  open: 'alert opened',
  update: 'alert updated',
  amend: 'alert amended',
  resolve: 'alert resolved',
}
