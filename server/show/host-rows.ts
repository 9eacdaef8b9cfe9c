// Rows and cells of hosts: combines what a host reported with what the repository assigns to it, as one state per host
// and service.
import { compact } from '../../shared/compact.ts'
import type { HostName, ServiceName } from '../../shared/names.ts'
import { type ServiceFact, type ServiceStateName, serviceFacts, stateIn } from '../../shared/report.ts'
import { namedHosts, servicesFor } from '../../shared/repository/assign.ts'
import { type Alert, listOpenAlerts } from '../store/alerts.ts'
import { type EnrolledHost, listHosts } from '../store/hosts.ts'
import { type Cell, listCells, type ServiceState } from '../store/service-states.ts'
import { staleSince } from './staleness.ts'
import type { ViewParts } from './view-parts.ts'
import type { CellView, HostRow, HostStateName } from './views.ts'

/** All hosts that are named in plumb.yaml or enrolled, with the cells that they reported. */
export async function hostRows(
  parts: ViewParts,
): Promise<{ readonly hosts: readonly HostRow[]; readonly cells: readonly Cell[] }> {
  const { db, source } = parts
  const [enrolled, cells, openAlerts] = await Promise.all([listHosts(db), listCells(db), listOpenAlerts(db)])
  const cellsByHost = Map.groupBy(cells, (cell) => cell.host)
  const offline = offlineHosts(openAlerts)
  const byName = new Map(enrolled.map((host) => [host.host, host]))
  const names = [...new Set([...namedHosts(source.state().fleet), ...byName.keys()])].sort()
  const elsewhere = await hostsElsewhere(parts, enrolled)
  const hosts = names.map((name) => {
    const [host, own] = [byName.get(name), cellsByHost.get(name) ?? []]
    return hostRow(parts, name, {
      ...{ enrolled: host, cells: own, offline: offline.has(name), isElsewhere: elsewhere.has(name) },
    })
  })
  return { hosts, cells }
}

type Known = {
  readonly enrolled: EnrolledHost | undefined
  readonly cells: readonly Cell[]
  readonly offline: boolean
  readonly isElsewhere: boolean
}

export function hostRow(parts: ViewParts, host: HostName, known: Known): HostRow {
  const { enrolled, isElsewhere } = known
  const cells = cellViews(parts, host, known)
  const lastSeenAt = enrolled === undefined ? undefined : (parts.presence.lastHeardAt(host) ?? enrolled.lastSeenAt)
  const clockAheadSeconds = parts.presence.clockAheadSeconds(host)
  const isNamed = servicesFor(parts.source.state().fleet, host).kind === 'assigned'
  return {
    host,
    state: hostState(known, cells, isNamed),
    connected: parts.agents.isConnected(host),
    cells,
    ...(isNamed ? {} : { unnamed: true }),
    ...(isElsewhere ? { elsewhere: true } : {}),
    ...compact({ revision: enrolled?.revision, lastSeenAt, clockAheadSeconds }),
    ...stale(parts, host, enrolled),
  }
}

export async function isElsewhere(parts: ViewParts, enrolled: EnrolledHost | undefined): Promise<boolean> {
  return enrolled !== undefined && (await hostsElsewhere(parts, [enrolled])).has(enrolled.host)
}

/** Hosts whose revision is missing from the server's clone. */
export async function hostsElsewhere(
  { clone }: ViewParts,
  hosts: readonly EnrolledHost[],
): Promise<ReadonlySet<HostName>> {
  const missing = await clone.missing(hosts.flatMap(({ revision }) => revision ?? []))
  return new Set(hosts.flatMap(({ host, revision }) => (revision !== undefined && missing.has(revision) ? host : [])))
}

export function stale(parts: ViewParts, host: HostName, enrolled: EnrolledHost | undefined): { staleSince?: string } {
  const { clock, source } = parts
  const last = { enrolled, connected: parts.agents.isConnected(host), checkedAt: parts.presence.lastCheckedAt(host) }
  const since = staleSince(last, clock.now(), source.state().fleet.defaults.checkEvery)
  return since === undefined ? {} : { staleSince: since }
}

/** The reported cells, and a cell for each assigned service that was not reported. */
function cellViews(parts: ViewParts, host: HostName, known: Known): readonly CellView[] {
  const { enrolled, cells, isElsewhere } = known
  const reported = new Set(cells.map((cell) => cell.service))
  const awaited = assignedTo(parts, host).filter((service) => !reported.has(service))
  const unreported = unreportedState(parts, enrolled, isElsewhere)
  return [
    ...cells.map(({ host: _host, ...cell }) => ({ ...cell, ...factsThere(cell.facts, isElsewhere) })),
    ...awaited.map((service) => ({ service, ...unreported, findings: 0, pending: 0 })),
  ]
}

/** The server cannot say whether a host at an unknown revision is in sync. */
export function factsThere(
  reported: readonly ServiceFact[],
  isElsewhere: boolean,
): { readonly state: ServiceStateName; readonly facts: readonly ServiceFact[] } {
  const facts = serviceFacts.filter((fact) => reported.includes(fact) || (isElsewhere && fact === 'unknown'))
  return { state: stateIn(facts), facts }
}

/**
 * State of a service that the head assigns to the host and that the host has not reported: pending for a host that is
 * behind the head, unknown for one that is at the head.
 */
export function unreportedState(
  { source }: ViewParts,
  enrolled: EnrolledHost | undefined,
  isElsewhere: boolean,
): Pick<CellView, 'state' | 'facts'> {
  if (enrolled?.reportDigest === undefined) return { state: 'no-report', facts: [] }
  const isBehind = !isElsewhere && enrolled.revision !== source.state().head?.revision
  return isBehind ? { state: 'pending', facts: ['pending'] } : { state: 'unknown', facts: ['unknown'] }
}

/**
 * A host is in sync when plumb.yaml names it and every service assigned to it is reported and in sync.
 */
function hostState({ enrolled, offline }: Known, cells: readonly CellView[], isNamed: boolean): HostStateName {
  if (enrolled === undefined) return 'not-enrolled'
  if (offline) return 'offline'
  if (enrolled.reportDigest === undefined) return 'no-report'
  const facts = new Set([...cells.flatMap((cell) => cell.facts), ...(isNamed ? [] : (['unknown'] as const))])
  return stateIn(serviceFacts.filter((fact) => facts.has(fact)))
}

export function cellOf({ host, state, facts, since, report }: ServiceState): Cell {
  const { service, findings, pending } = report
  return { host, service, state, facts, since, findings: findings.length, pending: pending.length }
}

export function assignedTo({ source }: ViewParts, host: HostName): readonly ServiceName[] {
  const assigned = servicesFor(source.state().fleet, host)
  return assigned.kind === 'assigned' ? assigned.services : []
}

export function offlineHosts(alerts: readonly Alert[]): ReadonlySet<HostName> {
  const open = alerts.filter((alert) => alert.kind === 'host-offline' && alert.resolvedAt === undefined)
  return new Set(open.flatMap((alert) => alert.host ?? []))
}
