// View of the fleet: the repository, every host, and the holds.
import { compact } from '../../shared/compact.ts'
import { listOpenAlerts } from '../store/alerts.ts'
import { listHolds, listReleases } from '../store/holds.ts'
import { listHeldServices } from '../store/service-states.ts'
import { alertRows, withoutDiff } from './alert-rows.ts'
import { holdViews } from './holds.ts'
import { hostRows } from './host-rows.ts'
import type { ViewParts } from './view-parts.ts'
import type { FleetView, HoldView, HostRow } from './views.ts'

export async function fleetView(parts: ViewParts): Promise<FleetView> {
  const { db, source } = parts
  const state = source.state()
  const [{ hosts, cells }, openAlerts, branch, channelProblems] = await Promise.all([
    hostRows(parts),
    listOpenAlerts(db),
    source.branch(),
    parts.courier.problems(),
  ])
  const unreachable = state.unreachable === undefined ? [] : [state.unreachable.problem]
  return {
    repository: {
      url: source.url,
      branch: branch ?? '',
      problems: [...unreachable, ...state.invalid, ...channelProblems],
      ...compact({ head: state.head, fetchedAt: state.fetchedAt }),
    },
    // Services that only hosts name are omitted (each host has an alert for them): a host can make up thousands.
    services: (state.head === undefined
      ? [...new Set(cells.map((cell) => cell.service))]
      : [...state.services.keys()]
    ).sort(),
    hosts,
    openAlerts: alertRows(openAlerts).map(withoutDiff),
    holds: await heldViews(parts, hosts),
  }
}

/** `hosts`: limits the holds to these hosts. */
export async function heldViews(parts: ViewParts, hosts?: readonly HostRow[]): Promise<readonly HoldView[]> {
  const { db, clock } = parts
  const [holds, reported] = await Promise.all([listHolds(db, clock.now().toISOString()), listHeldServices(db)])
  if (holds.length + reported.length === 0) return []
  const ids = holds.map(({ id }) => id)
  const releases = ids.length === 0 ? [] : await listReleases(db, ids)
  return holdViews({ holds, reported, releases, hosts: hosts ?? (await hostRows(parts)).hosts })
}
