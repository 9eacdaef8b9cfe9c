// Collects the facts for judge: recorded state of the hosts, their assignment in the repository, and the server's own state.
import type { HostName, Revision, ServiceName } from '../../shared/names.ts'
import type { ServiceReport } from '../../shared/report.ts'
import { servicesFor } from '../../shared/repository/assign.ts'
import type { Presence } from '../agents/presence.ts'
import type { FleetFacts, HostFacts } from '../judge/facts.ts'
import type { Courier } from '../notify/courier.ts'
import { listRefusals } from '../store/enrollment.ts'
import { listEndedHolds } from '../store/holds.ts'
import { listHosts } from '../store/hosts.ts'
import { listCopies } from '../store/machines.ts'
import { listServiceStates } from '../store/service-states.ts'
import type { Db } from '../store/tables.ts'
import type { Clock } from './clock.ts'
import type { FleetSource } from './fleet.ts'

export type FactParts = {
  readonly db: Db
  readonly clock: Clock
  readonly presence: Presence
  readonly source: FleetSource
  readonly courier: Pick<Courier, 'problems'>
  /** Damaged databases that are still in the data directory. */
  quarantinedDatabases(): readonly string[]
  /** The given revisions that are missing from the clone. */
  missingRevisions(revisions: Iterable<Revision>): Promise<ReadonlySet<Revision>>
}

/** A short outage of the forge is no alert. */
const unreachableForMs = 5 * 60_000

export async function readFleetFacts(parts: FactParts): Promise<FleetFacts> {
  const { invalid, unreachable, head } = parts.source.state()
  const lasts = unreachable !== undefined && parts.clock.elapsed() - unreachable.since >= unreachableForMs
  return {
    invalid,
    unreachable: lasts || head === undefined ? unreachable?.problem : undefined,
    channelProblems: await parts.courier.problems(),
    refusedEnrollments: await listRefusals(parts.db),
    quarantinedDatabases: parts.quarantinedDatabases(),
  }
}

/** Revisions of these hosts that are missing from the clone. */
export async function missingRevisions(
  { db, missingRevisions }: FactParts,
  names: readonly HostName[],
): Promise<ReadonlySet<Revision>> {
  const revisions = names.length === 0 ? [] : (await listHosts(db, names)).flatMap(({ revision }) => revision ?? [])
  return missingRevisions(revisions)
}

export type Judged = { readonly names: readonly HostName[]; readonly missing: ReadonlySet<Revision> }

/** `transaction` must be the one that writes the alerts. */
export async function readHostFacts(
  { source, presence }: FactParts,
  transaction: Db,
  { names, missing }: Judged,
): Promise<readonly HostFacts[]> {
  if (names.length === 0) return []
  const copies = new Map((await listCopies(transaction, names)).map((copy) => [copy.host, copy]))
  const ended = Map.groupBy(await listEndedHolds(transaction, names), (hold) => hold.host)
  const states = Map.groupBy(await listServiceStates(transaction, { hosts: names }), (state) => state.host)
  const head = source.state().head?.revision
  return (await listHosts(transaction, names)).map(({ host, problems, lastSeenAt, revision }) => {
    const heardAt = presence.lastHeardAt(host)
    const assigned = assignedTo(source, host)
    const reports = (states.get(host) ?? []).map((state) => state.report)
    const isGiven = ({ service }: ServiceReport) => assigned === undefined || assigned.includes(service)
    return {
      host,
      revision,
      problems,
      services: reports.filter(isGiven),
      given: assigned,
      isElsewhere: revision !== undefined && missing.has(revision),
      notGiven: reports.filter((report) => !isGiven(report)),
      isNamed: isNamed(source, host),
      isComparable: assigned?.length === 0 || (head !== undefined && revision === head),
      endedHolds: ended.get(host) ?? [],
      copy: copies.get(host),
      lastSeenAt: heardAt ?? lastSeenAt,
      unheardForMs: presence.unheardForMs(host),
      heardSinceStart: heardAt !== undefined,
      uncheckedForMs: presence.uncheckedForMs(host),
      checkedSinceStart: presence.lastCheckedAt(host) !== undefined,
    }
  })
}

/** Undefined until the repository has been read. */
export function assignedTo(source: FleetSource, host: HostName): readonly ServiceName[] | undefined {
  const { head, fleet } = source.state()
  if (head === undefined) return undefined
  const assigned = servicesFor(fleet, host)
  return assigned.kind === 'assigned' ? assigned.services : []
}

function isNamed(source: FleetSource, host: HostName): boolean {
  const { head, fleet } = source.state()
  return head === undefined || servicesFor(fleet, host).kind === 'assigned'
}
