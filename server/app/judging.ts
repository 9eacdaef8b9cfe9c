// When to judge what: collects hosts that may have changed, reads the facts, and settles the alerts - all in one transaction, so
// that a crash between a report and its alert loses neither: everything is judged again at start.
import type { Logger } from 'pino'
import type { HostName, Revision, ServiceName } from '../../shared/names.ts'
import type { ServiceReport } from '../../shared/report.ts'
import { servicesFor } from '../../shared/repository/assign.ts'
import type { Presence } from '../agents/presence.ts'
import type { FleetFacts, HostFacts } from '../judge/facts.ts'
import { type AlertChange, judge } from '../judge/judge.ts'
import type { Courier } from '../notify/courier.ts'
import { settleAlerts } from '../notify/settle.ts'
import type { Changes } from '../show/changes.ts'
import { listOpenAlerts, type Scope } from '../store/alerts.ts'
import { listRefusals } from '../store/enrolment.ts'
import { insertTransitions } from '../store/history.ts'
import { listEndedHolds, markEndsTold } from '../store/holds.ts'
import { findHost, listHostNames, listHosts } from '../store/hosts.ts'
import { listCopies } from '../store/machines.ts'
import { listServiceStates } from '../store/service-states.ts'
import type { Db } from '../store/tables.ts'
import type { Clock } from './clock.ts'
import type { FleetSource } from './fleet.ts'

export type Judging = {
  hostChanged(host: HostName): void
  /** A word from a host that was silent is a change. */
  heard(host: HostName): void
  /** The same for a check of a host whose checks were overdue. */
  checked(host: HostName): void
  fleetChanged(): void
  /** Hosts to which the repository gives other services than before are judged again. */
  assignmentsChanged(): Promise<void>
  /** Hosts that are not heard of, or finish no check. */
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
  checkOverdueAfterMs(): number
  databasesSetAside(): readonly string[]
  /** Those that the repository does not have, as far as it is fetched. */
  missingRevisions(revisions: Iterable<Revision>): Promise<ReadonlySet<Revision>>
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
  const overdue = new Set<HostName>()
  const given = new Map<HostName, string | undefined>()
  /** At a revision that the repository did not have when they were judged. */
  const elsewhere = new Set<HostName>()
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
    checked(host) {
      if (!overdue.delete(host)) return
      hosts.add(host)
      start()
    },
    fleetChanged() {
      fleet = true
      start()
    },
    async assignmentsChanged() {
      for (const host of await listHostNames(db)) {
        const services = assignedTo(host)?.join(' ')
        if (services !== given.get(host)) hosts.add(host)
        given.set(host, services)
      }
      for (const host of elsewhere) hosts.add(host)
      if (hosts.size > 0) start()
    },
    async lookForSilence() {
      const limit = parts.silentAfterMs()
      for (const host of await listHostNames(db)) {
        const isSilent = !silent.has(host) && presence.silentForMs(host) >= limit
        const isOverdue = !overdue.has(host) && presence.uncheckedForMs(host) >= parts.checkOverdueAfterMs()
        if (isSilent || isOverdue) hosts.add(host)
      }
      if (hosts.size > 0) start()
    },
    async everything() {
      for (const alert of await listOpenAlerts(db)) {
        if (alert.kind === 'host-silent' && alert.host !== undefined) silent.add(alert.host)
        if (alert.kind === 'check-overdue' && alert.host !== undefined) overdue.add(alert.host)
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
    // Before the transaction, which keeps all others from the database.
    const missing = await missingRevisions(names)
    return db.transaction().execute(async (transaction) => {
      const scopes: readonly Scope[] = [
        ...names.map((name) => `host:${name}` as const),
        ...(withFleet ? ['fleet' as const] : []),
      ]
      const changes = judge({
        hosts: await readHostFacts(transaction, names, missing),
        openAlerts: await listOpenAlerts(transaction, scopes),
        surroundings: {
          silentAfterMs: parts.silentAfterMs(),
          checkOverdueAfterMs: parts.checkOverdueAfterMs(),
          repositoryInvalid: source.state().invalid.length > 0,
        },
        ...(fleetFacts === undefined ? {} : { fleet: fleetFacts }),
      })
      await settleAlerts(transaction, changes, now)
      if (names.length > 0) await markEndsTold(transaction, names)
      await recordSilence(transaction, changes, now.toISOString())
      return changes
    })
  }

  async function missingRevisions(names: readonly HostName[]): Promise<ReadonlySet<Revision>> {
    const revisions = names.length === 0 ? [] : (await listHosts(db, names)).flatMap(({ revision }) => revision ?? [])
    return parts.missingRevisions(revisions)
  }

  async function readHostFacts(
    transaction: Db,
    names: readonly HostName[],
    missing: ReadonlySet<Revision>,
  ): Promise<readonly HostFacts[]> {
    if (names.length === 0) return []
    const copies = new Map((await listCopies(transaction, names)).map((copy) => [copy.host, copy]))
    const ended = Map.groupBy(await listEndedHolds(transaction, names), (hold) => hold.host)
    const states = Map.groupBy(await listServiceStates(transaction, { hosts: names }), (state) => state.host)
    const head = source.state().head?.revision
    return (await listHosts(transaction, names)).map(({ host, problems, lastSeenAt, revision }) => {
      const heardAt = presence.lastHeardAt(host)
      const assigned = assignedTo(host)
      const reports = (states.get(host) ?? []).map((state) => state.report)
      const isGiven = ({ service }: ServiceReport) => assigned === undefined || assigned.includes(service)
      const isElsewhere = revision !== undefined && missing.has(revision)
      if (isElsewhere) elsewhere.add(host)
      else elsewhere.delete(host)
      return {
        host,
        revision,
        problems,
        services: reports.filter(isGiven),
        given: assigned,
        isElsewhere,
        notGiven: reports.filter((report) => !isGiven(report)),
        isNamed: isNamed(host),
        isComparable: assigned?.length === 0 || (head !== undefined && revision === head),
        endedHolds: ended.get(host) ?? [],
        copy: copies.get(host),
        lastSeenAt: heardAt ?? lastSeenAt,
        silentForMs: presence.silentForMs(host),
        heardSinceStart: heardAt !== undefined,
        uncheckedForMs: presence.uncheckedForMs(host),
        checkedSinceStart: presence.lastCheckedAt(host) !== undefined,
      }
    })
  }

  /** Undefined while nothing is known of the repository. */
  function assignedTo(host: HostName): readonly ServiceName[] | undefined {
    const { head, fleet } = source.state()
    if (head === undefined) return undefined
    const assigned = servicesFor(fleet, host)
    return assigned.kind === 'assigned' ? assigned.services : []
  }

  function isNamed(host: HostName): boolean {
    const { head, fleet } = source.state()
    return head === undefined || servicesFor(fleet, host).kind === 'assigned'
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
      if (cause.kind !== 'host-silent' || cause.host === undefined) continue
      if (change.kind !== 'open' && change.kind !== 'resolve') continue
      if ((await findHost(transaction, cause.host)) === undefined) continue
      const to = change.kind === 'open' ? 'silent' : 'heard again'
      await insertTransitions(transaction, cause.host, [{ at, to }])
    }
  }

  function announce(changes: readonly AlertChange[]): void {
    for (const change of changes) {
      const { key, kind, host, title } = change.kind === 'resolve' ? change.alert : change.cause
      if (kind === 'host-silent' && host !== undefined && change.kind === 'open') silent.add(host)
      if (kind === 'check-overdue' && host !== undefined) overdue[change.kind === 'resolve' ? 'delete' : 'add'](host)
      // Told; where nothing is behind, it is over with that.
      if (kind === 'hold-expired' && host !== undefined && change.kind === 'open') hosts.add(host)
      log.info({ alert: key, title }, announced[change.kind])
      parts.changes.announce({ noun: 'alert', name: key })
      if (host !== undefined) parts.changes.announce({ noun: 'host', name: host })
    }
    if (changes.length > 0) parts.alertsChanged()
  }
}

const announced: Readonly<Record<AlertChange['kind'], string>> = {
  open: 'alert opened',
  update: 'alert updated',
  amend: 'alert amended',
  resolve: 'alert resolved',
}
