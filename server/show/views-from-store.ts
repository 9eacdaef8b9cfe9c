// show: what is recorded, and what the repository says -> the plain data that pages and API give out.
import { covers } from '../../shared/hold.ts'
import type { HostName, Revision, ServiceName } from '../../shared/names.ts'
import type { Problem } from '../../shared/problem.ts'
import { namedHosts, servicesFor } from '../../shared/repository/assign.ts'
import type { Clock } from '../clock.ts'
import type { FleetSource } from '../fleet.ts'
import type { FleetClone } from '../repository/clone.ts'
import { type Alert, listAlerts, listOpenAlerts } from '../store/alerts.ts'
import { listApplies, listTransitions } from '../store/history.ts'
import { listHolds, listReleases } from '../store/holds.ts'
import { type EnrolledHost, findHost, listHosts } from '../store/hosts.ts'
import {
  type Cell,
  findFinding,
  listCells,
  listHeldServices,
  listServiceStates,
  type ServiceState,
} from '../store/service-states.ts'
import type { Db } from '../store/tables.ts'
import { holdViews } from './holds.ts'
import { type Commits, pathsOf } from './paths.ts'
import { readmeHtml } from './readme.ts'
import type {
  AlertView,
  CellView,
  CommitView,
  FleetView,
  HoldView,
  HostRow,
  HostStateName,
  HostView,
  ServiceView,
  Views,
} from './views.ts'
import { whyView } from './why.ts'

export type ViewParts = {
  readonly db: Db
  readonly clock: Clock
  readonly source: FleetSource
  readonly clone: Pick<FleetClone, 'commit' | 'readText' | 'lastCommits' | 'history' | 'blame'>
  isConnected(host: HostName): boolean
  /** Fresher than what the database knows; undefined when not heard since the server started. */
  lastHeardAt(host: HostName): string | undefined
  /** What keeps alerts from being sent. */
  channelProblems(): Promise<readonly Problem[]>
}

const shown = { resolvedAlerts: 100, hostAlerts: 20, applies: 20, transitions: 100, commits: 20 }

export function createViews(parts: ViewParts): Views {
  const { db } = parts
  return {
    fleet: () => fleetView(parts),
    holds: () => heldViews(parts),
    host: (host) => hostView(parts, host),
    service: (service) => serviceView(parts, service),
    async drift(host, resource) {
      const found = await findFinding(db, host, resource)
      if (found === undefined) return undefined
      const { service, finding, firstSeenAt: since } = found
      const { source } = finding
      const revision = (await findHost(db, host))?.revision
      const why = source === undefined ? undefined : (await commitsAt(parts, revision)).get(source)
      const holdsSecrets = await namesSecrets(parts, source, revision)
      return { host, service, finding, since, holdsSecrets, ...(why === undefined ? {} : { why }) }
    },
    alerts: async () => (await listAlerts(db, {}, shown.resolvedAlerts)).map(alertView),
    why: (path, asked = {}) => whyView(parts, path, asked),
  }
}

async function fleetView(parts: ViewParts): Promise<FleetView> {
  const { db, source } = parts
  const state = source.state()
  const [{ hosts, cells }, openAlerts, branch, channelProblems] = await Promise.all([
    hostRows(parts),
    listOpenAlerts(db),
    source.branch(),
    parts.channelProblems(),
  ])
  const unreachable = state.unreachable === undefined ? [] : [state.unreachable.problem]
  return {
    repository: {
      url: source.url,
      branch: branch ?? '',
      problems: [...unreachable, ...state.invalid, ...channelProblems],
      ...(state.head === undefined ? {} : { head: state.head }),
      ...(state.fetchedAt === undefined ? {} : { fetchedAt: state.fetchedAt }),
    },
    services: [...new Set([...state.services.keys(), ...cells.map((cell) => cell.service)])].sort(),
    hosts,
    openAlerts: openAlerts.map(withoutDiff),
    holds: await heldViews(parts, hosts),
  }
}

/** Every host that is named or enrolled, and the cells they reported. */
async function hostRows(
  parts: ViewParts,
): Promise<{ readonly hosts: readonly HostRow[]; readonly cells: readonly Cell[] }> {
  const { db, source } = parts
  const [enrolled, cells, openAlerts] = await Promise.all([listHosts(db), listCells(db), listOpenAlerts(db)])
  const cellsByHost = Map.groupBy(cells, (cell) => cell.host)
  const silent = silentHosts(openAlerts)
  const byName = new Map(enrolled.map((host) => [host.host, host]))
  const names = [...new Set([...namedHosts(source.state().fleet), ...byName.keys()])].sort()
  const hosts = names.map((name) => {
    const host = byName.get(name)
    return hostRow(parts, name, { enrolled: host, cells: cellsByHost.get(name) ?? [], silent: silent.has(name) })
  })
  return { hosts, cells }
}

/** `hosts`: only what concerns these. */
async function heldViews(parts: ViewParts, hosts?: readonly HostRow[]): Promise<readonly HoldView[]> {
  const { db, clock } = parts
  const [holds, reported] = await Promise.all([listHolds(db, clock.now().toISOString()), listHeldServices(db)])
  if (holds.length + reported.length === 0) return []
  const ids = holds.map(({ id }) => id)
  const releases = ids.length === 0 ? [] : await listReleases(db, ids)
  return holdViews({ holds, reported, releases, hosts: hosts ?? (await hostRows(parts)).hosts })
}

type Known = { readonly enrolled: EnrolledHost | undefined; readonly cells: readonly Cell[]; readonly silent: boolean }

function hostRow(parts: ViewParts, host: HostName, known: Known): HostRow {
  const { enrolled } = known
  const cells = cellViews(known, assignedTo(parts, host))
  const lastSeenAt = enrolled === undefined ? undefined : (parts.lastHeardAt(host) ?? enrolled.lastSeenAt)
  return {
    host,
    state: hostState(known),
    connected: parts.isConnected(host),
    cells,
    ...(enrolled?.revision === undefined ? {} : { revision: enrolled.revision }),
    ...(lastSeenAt === undefined ? {} : { lastSeenAt }),
  }
}

/** What the host reported, and what the repository gives it that it has not reported yet. */
function cellViews({ enrolled, cells }: Known, assigned: readonly ServiceName[]): readonly CellView[] {
  const reported = new Set(cells.map((cell) => cell.service))
  const state = enrolled?.reportDigest === undefined ? 'unknown' : 'pending'
  const awaited = assigned.filter((service) => !reported.has(service))
  return [
    ...cells.map(({ host: _host, ...cell }) => cell),
    ...awaited.map((service) => ({ service, state, findings: 0, pending: 0 }) as const),
  ]
}

const urgency = ['failed', 'drift', 'held', 'pending'] as const

function hostState({ enrolled, cells, silent }: Known): HostStateName {
  if (enrolled === undefined) return 'not-enrolled'
  if (silent) return 'silent'
  if (enrolled.reportDigest === undefined) return 'unknown'
  return urgency.find((state) => cells.some((cell) => cell.state === state)) ?? 'in-plumb'
}

async function hostView(parts: ViewParts, host: HostName): Promise<HostView | undefined> {
  const { db, clone } = parts
  const enrolled = await findHost(db, host)
  const isNamed = namedHosts(parts.source.state().fleet).includes(host)
  if (enrolled === undefined && !isNamed) return undefined
  const [states, alerts, applies, transitions] = await Promise.all([
    listServiceStates(db, { hosts: [host] }),
    listAlerts(db, { host }, shown.hostAlerts),
    listApplies(db, host, shown.applies),
    listTransitions(db, host, shown.transitions),
  ])
  const cells = states.map(cellOf)
  const silent = silentHosts(alerts).has(host)
  const row = hostRow(parts, host, { enrolled, cells, silent })
  const commit = row.revision === undefined ? undefined : await clone.commit(row.revision)
  const { cells: _cells, ...who } = row
  return {
    ...who,
    services: await serviceReports(parts, { row, states }),
    problems: enrolled?.problems ?? [],
    applies,
    transitions,
    alerts: alerts.map(alertView),
    ...(commit === undefined ? {} : { commit }),
    ...(enrolled === undefined ? {} : { enrolledAt: enrolled.enrolledAt }),
    ...(enrolled?.agentVersion === undefined ? {} : { agentVersion: enrolled.agentVersion }),
    ...(enrolled?.platform === undefined ? {} : { platform: enrolled.platform }),
  }
}

type Reported = { readonly row: HostRow; readonly states: readonly ServiceState[] }

async function serviceReports(parts: ViewParts, { row, states }: Reported): Promise<HostView['services']> {
  const { clone } = parts
  const holds = (await heldViews(parts, [row])).filter((hold) => hold.id !== undefined && !isKeptBy(hold, row.host))
  const reports = new Map(states.map((state) => [state.report.service, state.report]))
  return Promise.all(
    row.cells.map(async ({ service, state }) => {
      const report = reports.get(service) ?? { service, findings: [], pending: [] }
      const commit = report.applied === undefined ? undefined : await clone.commit(report.applied)
      const asked = holds.filter((hold) => hold.services.some((target) => covers(target, service)))
      return { ...report, state, asked, ...(commit === undefined ? {} : { commit }) }
    }),
  )
}

/** Also when it does not concern the host at all. */
function isKeptBy({ hosts }: HoldView, host: HostName): boolean {
  const concerned = hosts.find((one) => one.host === host)
  return concerned === undefined || concerned.state === 'in-force'
}

async function serviceView(parts: ViewParts, service: ServiceName): Promise<ServiceView | undefined> {
  const { db, source, clone } = parts
  const state = source.state()
  const layout = state.services.get(service)
  const [reported, alerts] = await Promise.all([
    listServiceStates(db, { service }),
    listAlerts(db, { service }, shown.hostAlerts),
  ])
  if (layout === undefined && reported.length === 0) return undefined
  const head = state.head?.revision
  const directory = `services/${service}`
  const commits: Commits = head === undefined ? new Map() : await clone.lastCommits(head, '')
  const readme = head === undefined ? undefined : await clone.readText(head, `${directory}/README.md`)
  return {
    service,
    readmeHtml: readmeHtml(readme ?? ''),
    hosts: serviceHosts(parts, service, reported),
    paths: layout === undefined ? [] : pathsOf(layout, commits),
    history: head === undefined ? [] : await clone.history(head, directory, shown.commits),
    alerts: alerts.map(alertView),
  }
}

function serviceHosts(parts: ViewParts, service: ServiceName, reported: readonly ServiceState[]): ServiceView['hosts'] {
  const byHost = new Map(reported.map((state) => [state.host, state]))
  const named = namedHosts(parts.source.state().fleet).filter((host) => assignedTo(parts, host).includes(service))
  return [...new Set([...named, ...byHost.keys()])].sort().map((host) => {
    const state = byHost.get(host)
    if (state === undefined) return { host, state: 'unknown' }
    const { applied, hold } = state.report
    return {
      host,
      state: state.state,
      ...(applied === undefined ? {} : { applied }),
      ...(hold === undefined ? {} : { hold }),
    }
  })
}

function cellOf({ host, state, since, report }: ServiceState): Cell {
  const { service, findings, pending } = report
  return { host, service, state, since, findings: findings.length, pending: pending.length }
}

function assignedTo({ source }: ViewParts, host: HostName): readonly ServiceName[] {
  const assigned = servicesFor(source.state().fleet, host)
  return assigned.kind === 'assigned' ? assigned.services : []
}

/** At the revision the host is at, when the clone has it. */
async function commitsAt(parts: ViewParts, revision: Revision | undefined): Promise<Commits> {
  const at = await nearest(parts, revision)
  return at === undefined ? new Map() : parts.clone.lastCommits(at.revision, '')
}

/** A text that only looks like a template is taken for one: its finding is then adopted on the host, which always can. */
async function namesSecrets(parts: ViewParts, file: string | undefined, revision: Revision | undefined) {
  const at = await nearest(parts, revision)
  const text = file === undefined || at === undefined ? undefined : await parts.clone.readText(at.revision, file)
  return text !== undefined && /\$\{\{\s*secrets\./.test(text)
}

async function nearest({ source, clone }: ViewParts, revision: Revision | undefined): Promise<CommitView | undefined> {
  return (revision === undefined ? undefined : await clone.commit(revision)) ?? source.state().head
}

function silentHosts(alerts: readonly Alert[]): ReadonlySet<HostName> {
  const open = alerts.filter((alert) => alert.kind === 'host-silent' && alert.resolvedAt === undefined)
  return new Set(open.flatMap((alert) => alert.host ?? []))
}

/** An overview of many: the diffs are on the alerts' own page. */
function withoutDiff(alert: Alert): AlertView {
  const { diff: _diff, ...rest } = alertView(alert)
  return rest
}

function alertView({ key: _key, scope: _scope, updatedAt: _updatedAt, remedy, ...alert }: Alert): AlertView {
  return remedy === undefined ? alert : { ...alert, text: `${alert.text}\n${remedy}` }
}
