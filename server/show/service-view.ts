// View of one service: its hosts, its files with their commits, and its history.
import { compact } from '../../shared/compact.ts'
import type { HostName, ServiceName } from '../../shared/names.ts'
import { namedHosts } from '../../shared/repository/assign.ts'
import { listAlerts } from '../store/alerts.ts'
import { type EnrolledHost, listHosts } from '../store/hosts.ts'
import { listServiceStates, type ServiceState } from '../store/service-states.ts'
import { alertRows } from './alert-rows.ts'
import { assignedTo, factsThere, hostsElsewhere, stale, unreportedState } from './host-rows.ts'
import { type Commits, pathsOf } from './paths.ts'
import { readmeHtml } from './readme.ts'
import { shown, type ViewParts } from './view-parts.ts'
import type { ServiceView } from './views.ts'

export async function serviceView(parts: ViewParts, service: ServiceName): Promise<ServiceView | undefined> {
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
      ...compact({ applied, hold }),
      ...stale(parts, host, known),
    }
  })
}
