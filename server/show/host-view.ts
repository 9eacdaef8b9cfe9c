// View of one host: its services with their commits, its applies, and its failed applies.
import { compact } from '../../shared/compact.ts'
import { covers } from '../../shared/hold.ts'
import type { HostName } from '../../shared/names.ts'
import { namedHosts } from '../../shared/repository/assign.ts'
import { waysOut } from '../../shared/ways-out.ts'
import { listAlerts } from '../store/alerts.ts'
import { type FailedApply, listFailedApplies } from '../store/failed-applies.ts'
import { type KeptApply, listApplies, listTransitions } from '../store/history.ts'
import { findHost } from '../store/hosts.ts'
import { listServiceStates, type ServiceState } from '../store/service-states.ts'
import { alertRows } from './alert-rows.ts'
import { heldViews } from './fleet-view.ts'
import { cellOf, hostRow, isElsewhere, offlineHosts } from './host-rows.ts'
import { serviceCommit } from './service-commit.ts'
import { shown, type ViewParts } from './view-parts.ts'
import type { FailedApplyView, HoldView, HostRow, HostView } from './views.ts'

export async function hostView(parts: ViewParts, host: HostName): Promise<HostView | undefined> {
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
  const offline = offlineHosts(alerts).has(host)
  const row = hostRow(parts, host, { enrolled, cells, offline, isElsewhere: await isElsewhere(parts, enrolled) })
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
    ...compact({ commit }),
    ...(enrolled === undefined ? {} : { enrolledAt: enrolled.enrolledAt }),
    ...compact({ agentVersion: enrolled?.agentVersion, platform: enrolled?.platform }),
  }
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
    ...compact({ hold, commit }),
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
        ...compact({ commit }),
      }
    }),
  )
}

/** Also true for a commit that does not concern the host. */
function isKeptBy({ hosts }: HoldView, host: HostName): boolean {
  const concerned = hosts.find((one) => one.host === host)
  return concerned === undefined || concerned.state === 'in-force'
}
