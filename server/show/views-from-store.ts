// show: builds the plain data of pages and API from the store and the repository.
import { listAlerts, listOpenAlertTitles } from '../store/alerts.ts'
import { alertRows } from './alert-rows.ts'
import { driftView } from './drift-view.ts'
import { fleetView, heldViews } from './fleet-view.ts'
import { hostView } from './host-view.ts'
import { serviceView } from './service-view.ts'
import { shown, type ViewParts } from './view-parts.ts'
import type { Views } from './views.ts'
import { whyView } from './why.ts'

export function createViews(parts: ViewParts): Views {
  const { db } = parts
  return {
    fleet: () => fleetView(parts),
    holds: () => heldViews(parts),
    host: (host) => hostView(parts, host),
    service: (service) => serviceView(parts, service),
    drift: (host, resource) => driftView(parts, host, resource),
    alerts: async () => alertRows(await listAlerts(db, {}, shown.resolvedAlerts)),
    openAlertCount: async () => alertRows(await listOpenAlertTitles(db)).length,
    why: (path, asked = {}) => whyView(parts, path, asked),
  }
}
