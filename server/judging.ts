// When to judge what: collects hosts that may have changed, reads the facts, and settles the alerts - all in one transaction, so
// that a crash between a report and its alert loses neither: everything is judged again at start.
import type { Logger } from 'pino'
import type { HostName } from '../shared/names.ts'
import type { Presence } from './agents/presence.ts'
import type { Clock } from './clock.ts'
import type { FleetSource } from './fleet.ts'
import type { FleetFacts, HostFacts } from './judge/conditions.ts'
import { type AlertChange, judge } from './judge/judge.ts'
import type { Courier } from './notify/courier.ts'
import { settleAlerts } from './notify/settle.ts'
import type { Changes } from './show/changes.ts'
import { listOpenAlerts, type Scope } from './store/alerts.ts'
import { listRefusals } from './store/enrolment.ts'
import { insertTransition } from './store/history.ts'
import { listEndedHolds, markEndsTold } from './store/holds.ts'
import { findHost, listHostNames, listHosts } from './store/hosts.ts'
import { listServiceStates } from './store/service-states.ts'
import type { Db } from './store/tables.ts'

export type Judging = {
  hostChanged(host: HostName): void
  /** A word from a host that was silent is a change. */
  heard(host: HostName): void
  fleetChanged(): void
  lookForSilence(): Promise<void>
  /** All hosts and the fleet; for the start. */
  everything(): Promise<void>
  /** Resolves when nothing waits to be judged. */
  settled(): Promise<void>
}

export type JudgingParts = {
  readonly db: Db
  readonly clock: Clock
  readonly log: Logger
  readonly presence: Presence
  readonly source: FleetSource
  readonly courier: Courier
  readonly changes: Changes
  silentAfterMs(): number
  databasesSetAside(): readonly string[]
  alertsChanged(): void
}

/** Hosts in one transaction: what waits for the database waits no longer than that. */
const hostsAtOnce = 100
/** A forge that is away for a moment is nobody's concern. */
const unreachableForMs = 5 * 60_000

export function createJudging(parts: JudgingParts): Judging {
  const { db, clock, log, presence, source } = parts
  const hosts = new Set<HostName>()
  let fleet = false
  const silent = new Set<HostName>()
  let round: Promise<void> | undefined

  const start = () => {
    round ??= rounds()
      .catch((thrown: unknown) => log.error({ err: thrown }, 'alerts could not be judged; they are judged again'))
      .finally(() => {
        round = undefined
      })
  }
  return {
    hostChanged(host) {
      hosts.add(host)
      start()
    },
    heard(host) {
      if (!silent.delete(host)) return
      hosts.add(host)
      start()
    },
    fleetChanged() {
      fleet = true
      start()
    },
    async lookForSilence() {
      const limit = parts.silentAfterMs()
      for (const host of await listHostNames(db)) {
        if (silent.has(host) || presence.silentForMs(host) < limit) continue
        hosts.add(host)
      }
      if (hosts.size > 0) start()
    },
    async everything() {
      for (const alert of await listOpenAlerts(db)) {
        if (alert.kind === 'host-silent' && alert.host !== undefined) silent.add(alert.host)
        if (alert.scope !== 'fleet' && alert.host !== undefined) hosts.add(alert.host)
      }
      for (const host of await listHostNames(db)) hosts.add(host)
      fleet = true
      start()
      await round
    },
    async settled() {
      while (round !== undefined) await round
    },
  }

  async function rounds(): Promise<void> {
    // What is announced in one turn of the event loop is judged together.
    await new Promise((resolve) => setImmediate(resolve))
    while (hosts.size > 0 || fleet) {
      const names = [...hosts].slice(0, hostsAtOnce)
      for (const name of names) hosts.delete(name)
      const withFleet = fleet
      fleet = false
      try {
        announce(await judgeOnce(names, withFleet))
      } catch (thrown) {
        for (const name of names) hosts.add(name)
        fleet ||= withFleet
        throw thrown
      }
    }
  }

  async function judgeOnce(names: readonly HostName[], withFleet: boolean): Promise<readonly AlertChange[]> {
    const fleetFacts = withFleet ? await readFleetFacts() : undefined
    const now = clock.now()
    return db.transaction().execute(async (transaction) => {
      const scopes: readonly Scope[] = [
        ...names.map((name) => `host:${name}` as const),
        ...(withFleet ? ['fleet' as const] : []),
      ]
      const changes = judge({
        hosts: await readHostFacts(transaction, names),
        openAlerts: await listOpenAlerts(transaction, scopes),
        surroundings: { silentAfterMs: parts.silentAfterMs(), repositoryInvalid: source.state().invalid.length > 0 },
        ...(fleetFacts === undefined ? {} : { fleet: fleetFacts }),
      })
      await settleAlerts(transaction, changes, now)
      if (names.length > 0) await markEndsTold(transaction, names)
      await recordSilence(transaction, changes, now.toISOString())
      return changes
    })
  }

  async function readHostFacts(transaction: Db, names: readonly HostName[]): Promise<readonly HostFacts[]> {
    if (names.length === 0) return []
    const ended = Map.groupBy(await listEndedHolds(transaction, names), (hold) => hold.host)
    const states = Map.groupBy(await listServiceStates(transaction, { hosts: names }), (state) => state.host)
    return (await listHosts(transaction, names)).map(({ host, problems, lastSeenAt }) => {
      const heardAt = presence.lastHeardAt(host)
      return {
        host,
        problems,
        services: (states.get(host) ?? []).map((state) => state.report),
        endedHolds: ended.get(host) ?? [],
        lastSeenAt: heardAt ?? lastSeenAt,
        silentForMs: presence.silentForMs(host),
        heardSinceStart: heardAt !== undefined,
      }
    })
  }

  async function readFleetFacts(): Promise<FleetFacts> {
    const { invalid, unreachable, head } = source.state()
    const lasts = unreachable !== undefined && clock.elapsed() - unreachable.since >= unreachableForMs
    return {
      invalid,
      unreachable: lasts || head === undefined ? unreachable?.problem : undefined,
      channelProblems: await parts.courier.problems(),
      refusedEnrolments: await listRefusals(db),
      databasesSetAside: parts.databasesSetAside(),
    }
  }

  async function recordSilence(transaction: Db, changes: readonly AlertChange[], at: string): Promise<void> {
    for (const change of changes) {
      const cause = change.kind === 'resolve' ? change.alert : change.cause
      if (cause.kind !== 'host-silent' || cause.host === undefined || change.kind === 'update') continue
      if ((await findHost(transaction, cause.host)) === undefined) continue
      const to = change.kind === 'open' ? 'silent' : 'heard again'
      await insertTransition(transaction, cause.host, { at, to })
    }
  }

  function announce(changes: readonly AlertChange[]): void {
    for (const change of changes) {
      const { key, kind, host, title } = change.kind === 'resolve' ? change.alert : change.cause
      if (kind === 'host-silent' && host !== undefined && change.kind === 'open') silent.add(host)
      // Told; where nothing is behind, it is over with that.
      if (kind === 'hold-expired' && host !== undefined && change.kind === 'open') hosts.add(host)
      log.info({ alert: key, title }, `alert ${change.kind === 'open' ? 'opened' : `${change.kind}d`}`)
      parts.changes.announce({ noun: 'alert', name: key })
      if (host !== undefined) parts.changes.announce({ noun: 'host', name: host })
    }
    if (changes.length > 0) parts.alertsChanged()
  }
}
