// show: the holds of the fleet as one list: those of the server, and those made on hosts.
import { compact } from '../../shared/compact.ts'
import { covers } from '../../shared/hold.ts'
import type { HostName } from '../../shared/names.ts'
import { matchesPattern } from '../../shared/repository/assign.ts'
import type { Release, StoredHold } from '../store/holds.ts'
import type { HeldService } from '../store/service-states.ts'
import type { HoldHostView, HoldView, HostRow } from './views.ts'

export type HeldFacts = {
  /** Holds of the server, in force by its clock. */
  readonly holds: readonly StoredHold[]
  readonly hosts: readonly HostRow[]
  readonly reported: readonly HeldService[]
  readonly releases: readonly Release[]
}

/** Sorted by their end, soonest first. */
export function holdViews(facts: HeldFacts): readonly HoldView[] {
  const asked = facts.holds.map((hold) => askedView(hold, facts))
  return [...asked, ...ownViews(facts.reported)].toSorted((one, other) => (one.until < other.until ? -1 : 1))
}

function askedView(hold: StoredHold, { hosts, reported, releases }: HeldFacts): HoldView {
  const { id, service, by, why, since, until } = hold
  const concerned = hosts.filter(
    ({ host, state, cells }) =>
      state !== 'not-enrolled' &&
      !hold.excludedHosts.includes(host) &&
      hold.hosts.some((pattern) => matchesPattern(pattern, host)) &&
      (service === '*' || cells.some((cell) => cell.service === service)),
  )
  const keeping = new Set(reported.filter((one) => isKept(hold, one)).map(({ host }) => host))
  const own = releases.filter((release) => release.id === id)
  const releasedBy = new Map(own.map((release) => [release.host, release.releasedBy]))
  return {
    ...{ id, services: [service], by, why, since, until, patterns: hold.hosts },
    hosts: concerned.map(({ host }) => hostView(host, keeping, releasedBy)),
  }
}

function hostView(
  host: HostName,
  keeping: ReadonlySet<HostName>,
  releasedBy: ReadonlyMap<HostName, string>,
): HoldHostView {
  const by = releasedBy.get(host)
  if (by !== undefined) return { host, state: 'released', releasedBy: by }
  return { host, state: keeping.has(host) ? 'in-force' : 'asked' }
}

/** A host reports only the hold that ends last. A longer hold implies that this one was accepted. */
function isKept(hold: StoredHold, { service, hold: reported }: HeldService): boolean {
  return reported.id === hold.id || (covers(hold.service, service) && reported.until > hold.until)
}

/** Holds made on the hosts. A hold of several services is one entry. */
function ownViews(reported: readonly HeldService[]): readonly HoldView[] {
  const own = reported.filter(({ hold }) => hold.origin !== 'server')
  const groups = Map.groupBy(own, ({ host, hold }) => JSON.stringify([host, hold.by, hold.since, hold.until, hold.why]))
  return [...groups.values()].flatMap((group) => {
    const [first] = group
    if (first === undefined) return []
    const { by, why, since, until } = first.hold
    return {
      services: group.map(({ service }) => service),
      ...{ by, why, until },
      ...compact({ since }),
      hosts: [{ host: first.host, state: 'in-force' as const }],
    }
  })
}
