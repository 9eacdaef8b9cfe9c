// show: what is recorded, and what the repository says -> the plain data that pages and API give out.
import { covers } from '../../shared/hold.ts'
import type { HostName, Revision, ServiceName } from '../../shared/names.ts'
import type { Problem } from '../../shared/problem.ts'
import { factsOf, type ServiceFact, type ServiceStateName, serviceFacts, stateIn } from '../../shared/report.ts'
import { namedHosts, servicesFor } from '../../shared/repository/assign.ts'
import { waysOut } from '../../shared/ways-out.ts'
import type { Clock } from '../clock.ts'
import type { FleetSource } from '../fleet.ts'
import type { FleetClone } from '../repository/clone.ts'
import { type Alert, listAlerts, listOpenAlerts } from '../store/alerts.ts'
import { type FailedApply, listFailedApplies } from '../store/failed-applies.ts'
import { type KeptApply, listApplies, listTransitions } from '../store/history.ts'
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
import { alertRows, withoutDiff } from './alert-rows.ts'
import { holdViews } from './holds.ts'
import { type Commits, pathsOf } from './paths.ts'
import { readmeHtml } from './readme.ts'
import { serviceCommit } from './service-commit.ts'
import { staleSince } from './staleness.ts'
import type {
  CellView,
  CommitView,
  DriftView,
  FailedApplyView,
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
  readonly clone: Pick<
    FleetClone,
    'commit' | 'missing' | 'readText' | 'fileText' | 'touches' | 'lastCommits' | 'removals' | 'history' | 'blame'
  >
  isConnected(host: HostName): boolean
  /** Fresher than what the database knows; undefined when not heard since the server started. */
  lastHeardAt(host: HostName): string | undefined
  /** When it last said what a check found; undefined as above. */
  lastCheckedAt(host: HostName): string | undefined
  /** Undefined: about right, or not known. */
  clockAheadSeconds(host: HostName): number | undefined
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
    drift: (host, resource) => driftView(parts, host, resource),
    alerts: async () => alertRows(await listAlerts(db, {}, shown.resolvedAlerts)),
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
    // Those that only hosts name are an alert of each host: anybody can make up a thousand of them.
    services: (state.head === undefined
      ? [...new Set(cells.map((cell) => cell.service))]
      : [...state.services.keys()]
    ).sort(),
    hosts,
    openAlerts: alertRows(openAlerts).map(withoutDiff),
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
  const elsewhere = await hostsElsewhere(parts, enrolled)
  const hosts = names.map((name) => {
    const [host, own] = [byName.get(name), cellsByHost.get(name) ?? []]
    return hostRow(parts, name, {
      ...{ enrolled: host, cells: own, silent: silent.has(name), isElsewhere: elsewhere.has(name) },
    })
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

type Known = {
  readonly enrolled: EnrolledHost | undefined
  readonly cells: readonly Cell[]
  readonly silent: boolean
  readonly isElsewhere: boolean
}

function hostRow(parts: ViewParts, host: HostName, known: Known): HostRow {
  const { enrolled, isElsewhere } = known
  const cells = cellViews(parts, host, known)
  const lastSeenAt = enrolled === undefined ? undefined : (parts.lastHeardAt(host) ?? enrolled.lastSeenAt)
  const clockAheadSeconds = parts.clockAheadSeconds(host)
  const isNamed = servicesFor(parts.source.state().fleet, host).kind === 'assigned'
  return {
    host,
    state: hostState(known, cells, isNamed),
    connected: parts.isConnected(host),
    cells,
    ...(isNamed ? {} : { unnamed: true }),
    ...(isElsewhere ? { elsewhere: true } : {}),
    ...(enrolled?.revision === undefined ? {} : { revision: enrolled.revision }),
    ...(lastSeenAt === undefined ? {} : { lastSeenAt }),
    ...(clockAheadSeconds === undefined ? {} : { clockAheadSeconds }),
    ...stale(parts, host, enrolled),
  }
}

/** Hosts that follow a revision that is not in the repository, as far as the server has fetched it. */
async function hostsElsewhere({ clone }: ViewParts, hosts: readonly EnrolledHost[]): Promise<ReadonlySet<HostName>> {
  const missing = await clone.missing(hosts.flatMap(({ revision }) => revision ?? []))
  return new Set(hosts.flatMap(({ host, revision }) => (revision !== undefined && missing.has(revision) ? host : [])))
}

function stale(parts: ViewParts, host: HostName, enrolled: EnrolledHost | undefined): { staleSince?: string } {
  const { clock, source } = parts
  const last = { enrolled, connected: parts.isConnected(host), checkedAt: parts.lastCheckedAt(host) }
  const since = staleSince(last, clock.now(), source.state().fleet.defaults.checkEvery)
  return since === undefined ? {} : { staleSince: since }
}

/** What the host reported, and what the repository gives it that it has not reported. */
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

/** Nothing here says whether what a host has of an unknown revision is what it should have. */
function factsThere(
  reported: readonly ServiceFact[],
  isElsewhere: boolean,
): { readonly state: ServiceStateName; readonly facts: readonly ServiceFact[] } {
  const facts = serviceFacts.filter((fact) => reported.includes(fact) || (isElsewhere && fact === 'unknown'))
  return { state: stateIn(facts), facts }
}

/** Of a service that the head gives to the host. A host that follows the head and does not report it tells nothing of it. */
function unreportedState(
  { source }: ViewParts,
  enrolled: EnrolledHost | undefined,
  isElsewhere: boolean,
): Pick<CellView, 'state' | 'facts'> {
  if (enrolled?.reportDigest === undefined) return { state: 'no-report', facts: [] }
  const isBehind = !isElsewhere && enrolled.revision !== source.state().head?.revision
  return isBehind ? { state: 'pending', facts: ['pending'] } : { state: 'unknown', facts: ['unknown'] }
}

/** In plumb is a host that plumb.yaml names, and of which every service that it is given is reported and is in plumb. */
function hostState({ enrolled, silent }: Known, cells: readonly CellView[], isNamed: boolean): HostStateName {
  if (enrolled === undefined) return 'not-enrolled'
  if (silent) return 'silent'
  if (enrolled.reportDigest === undefined) return 'no-report'
  const facts = new Set([...cells.flatMap((cell) => cell.facts), ...(isNamed ? [] : (['unknown'] as const))])
  return stateIn(serviceFacts.filter((fact) => facts.has(fact)))
}

async function hostView(parts: ViewParts, host: HostName): Promise<HostView | undefined> {
  const { db, clone } = parts
  const enrolled = await findHost(db, host)
  const isNamed = namedHosts(parts.source.state().fleet).includes(host)
  if (enrolled === undefined && !isNamed) return undefined
  const [states, alerts, applies, failed, transitions] = await Promise.all([
    listServiceStates(db, { hosts: [host] }),
    listAlerts(db, { host }, shown.hostAlerts),
    listApplies(db, host, shown.applies),
    listFailedApplies(db, host, shown.applies),
    listTransitions(db, host, shown.transitions),
  ])
  const cells = states.map(cellOf)
  const silent = silentHosts(alerts).has(host)
  const row = hostRow(parts, host, { enrolled, cells, silent, isElsewhere: await isElsewhere(parts, enrolled) })
  const commit = row.revision === undefined ? undefined : await clone.commit(row.revision)
  const { cells: _cells, ...who } = row
  return {
    ...who,
    services: await serviceReports(parts, { row, states }),
    problems: enrolled?.problems ?? [],
    applies: await Promise.all(applies.map((apply) => withCommit(parts, apply))),
    failedApplies: await Promise.all(failed.map((one) => failedApplyView(parts, one, states))),
    transitions,
    alerts: alertRows(alerts),
    ...(commit === undefined ? {} : { commit }),
    ...(enrolled === undefined ? {} : { enrolledAt: enrolled.enrolledAt }),
    ...(enrolled?.agentVersion === undefined ? {} : { agentVersion: enrolled.agentVersion }),
    ...(enrolled?.platform === undefined ? {} : { platform: enrolled.platform }),
  }
}

async function isElsewhere(parts: ViewParts, enrolled: EnrolledHost | undefined): Promise<boolean> {
  return enrolled !== undefined && (await hostsElsewhere(parts, [enrolled])).has(enrolled.host)
}

async function withCommit({ clone }: ViewParts, apply: KeptApply): Promise<HostView['applies'][number]> {
  const commit = await clone.commit(apply.revision)
  return commit === undefined ? apply : { ...apply, commit }
}

async function failedApplyView(
  { clone }: ViewParts,
  { service, failure, firstAt }: FailedApply,
  states: readonly ServiceState[],
): Promise<FailedApplyView> {
  const report = states.find((state) => state.report.service === service)?.report
  const isCurrent = report?.failure?.revision === failure.revision
  const commit = await clone.commit(failure.revision)
  const hold = isCurrent ? report?.hold : undefined
  return {
    ...{ service, failure, firstAt, isCurrent },
    ...(hold === undefined ? {} : { hold }),
    ...(commit === undefined ? {} : { commit }),
  }
}

type Reported = { readonly row: HostRow; readonly states: readonly ServiceState[] }

async function serviceReports(parts: ViewParts, { row, states }: Reported): Promise<HostView['services']> {
  const { clone } = parts
  const holds = (await heldViews(parts, [row])).filter((hold) => hold.id !== undefined && !isKeptBy(hold, row.host))
  const reports = new Map(states.map((state) => [state.report.service, state.report]))
  return Promise.all(
    row.cells.map(async ({ service, state, facts }) => {
      const said = reports.get(service)
      const report = said ?? { service, findings: [], pending: [] }
      const layout = parts.source.state().services.get(service)
      const { applied } = report
      const commit =
        applied === undefined
          ? undefined
          : await serviceCommit(clone, { host: row.host, revision: applied, service, layout })
      const asked = holds.filter((hold) => hold.services.some((target) => covers(target, service)))
      const ways = waysOut({ ...report, revision: row.revision })
      return {
        ...{ ...report, state, facts, asked, waysOut: ways },
        ...(said === undefined && state === 'unknown' ? { unreported: true } : {}),
        ...(commit === undefined ? {} : { commit }),
      }
    }),
  )
}

/** Also when it does not concern the host at all. */
function isKeptBy({ hosts }: HoldView, host: HostName): boolean {
  const concerned = hosts.find((one) => one.host === host)
  return concerned === undefined || concerned.state === 'in-force'
}

async function driftView(parts: ViewParts, host: HostName, resource: string): Promise<DriftView | undefined> {
  const { db } = parts
  const found = await findFinding(db, host, resource)
  if (found === undefined) return undefined
  const { service, finding, firstSeenAt: since } = found
  const [enrolled, [state], alerts] = await Promise.all([
    findHost(db, host),
    listServiceStates(db, { hosts: [host], service }),
    listOpenAlerts(db, [`host:${host}`]),
  ])
  const silent = silentHosts(alerts).has(host)
  const cells = state === undefined ? [] : [cellOf(state)]
  const row = hostRow(parts, host, { enrolled, cells, silent, isElsewhere: await isElsewhere(parts, enrolled) })
  const report = state?.report ?? { service, findings: [finding], pending: [] }
  const { applied, appliedAt, hold, failure, unknown } = report
  const { revision, staleSince, connected, clockAheadSeconds } = row
  const pending = report.pending.find((one) => one.resource === finding.resource)
  const [why, commit] = await Promise.all([
    commitBehind(parts, finding.source, pending === undefined ? [applied, revision] : [applied]),
    pending && commitBehind(parts, pending.source ?? finding.source, [revision]),
  ])
  return {
    ...{ host, service, finding, since },
    connected,
    facts: factsThere(factsOf(report), row.elsewhere === true).facts,
    holdsSecrets: await namesSecrets(parts, finding.source, revision),
    waysOut: waysOut({ ...report, revision }, [finding]),
    ...(revision === undefined ? {} : { revision }),
    ...(staleSince === undefined ? {} : { staleSince }),
    ...(clockAheadSeconds === undefined ? {} : { clockAheadSeconds }),
    ...(applied === undefined ? {} : { applied }),
    ...(appliedAt === undefined ? {} : { appliedAt }),
    ...(hold === undefined ? {} : { hold }),
    ...(failure === undefined ? {} : { failure }),
    ...(unknown === undefined ? {} : { unknown }),
    ...(why === undefined ? {} : { why }),
    ...(pending === undefined
      ? {}
      : { pending: { summary: pending.summary, ...(commit === undefined ? {} : { commit }) } }),
  }
}

/** The last commit to a file as of the first revision that the clone has. */
async function commitBehind(
  { clone }: ViewParts,
  source: string | undefined,
  revisions: readonly (Revision | undefined)[],
): Promise<CommitView | undefined> {
  for (const revision of revisions) {
    if (source === undefined || revision === undefined || (await clone.commit(revision)) === undefined) continue
    return (await clone.lastCommits(revision, '')).get(source)
  }
  return undefined
}

async function serviceView(parts: ViewParts, service: ServiceName): Promise<ServiceView | undefined> {
  const { db, source, clone } = parts
  const state = source.state()
  const layout = state.services.get(service)
  const [reported, alerts, enrolled] = await Promise.all([
    listServiceStates(db, { service }),
    listAlerts(db, { service }, shown.hostAlerts),
    listHosts(db),
  ])
  if (layout === undefined && reported.length === 0) return undefined
  const head = state.head?.revision
  const directory = `services/${service}`
  const commits: Commits = head === undefined ? new Map() : await clone.lastCommits(head, '')
  const readme = head === undefined ? undefined : await clone.readText(head, `${directory}/README.md`)
  return {
    service,
    readmeHtml: readmeHtml(readme ?? ''),
    hosts: serviceHosts(parts, service, { reported, enrolled, elsewhere: await hostsElsewhere(parts, enrolled) }),
    paths: layout === undefined ? [] : pathsOf(layout, commits),
    history: head === undefined ? [] : await clone.history(head, directory, shown.commits),
    alerts: alertRows(alerts),
  }
}

type KnownOfService = {
  readonly reported: readonly ServiceState[]
  readonly enrolled: readonly EnrolledHost[]
  readonly elsewhere: ReadonlySet<HostName>
}

function serviceHosts(
  parts: ViewParts,
  service: ServiceName,
  { reported, enrolled, elsewhere }: KnownOfService,
): ServiceView['hosts'] {
  const byName = new Map(enrolled.map((host) => [host.host, host]))
  const byHost = new Map(reported.map((state) => [state.host, state]))
  const hosts = [...namedHosts(parts.source.state().fleet), ...byName.keys()]
  const named = hosts.filter((host) => assignedTo(parts, host).includes(service))
  return [...new Set([...named, ...byHost.keys()])].sort().map((host) => {
    const state = byHost.get(host)
    const known = byName.get(host)
    if (state === undefined)
      return { host, ...unreportedState(parts, known, elsewhere.has(host)), ...stale(parts, host, known) }
    const { applied, hold } = state.report
    return {
      host,
      ...factsThere(state.facts, elsewhere.has(host)),
      ...(applied === undefined ? {} : { applied }),
      ...(hold === undefined ? {} : { hold }),
      ...stale(parts, host, known),
    }
  })
}

function cellOf({ host, state, facts, since, report }: ServiceState): Cell {
  const { service, findings, pending } = report
  return { host, service, state, facts, since, findings: findings.length, pending: pending.length }
}

function assignedTo({ source }: ViewParts, host: HostName): readonly ServiceName[] {
  const assigned = servicesFor(source.state().fleet, host)
  return assigned.kind === 'assigned' ? assigned.services : []
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
