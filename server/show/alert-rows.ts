// show: sorts alerts for every view in the same order, and groups those of one cause on several hosts into one row.
import type { Alert } from '../store/alerts.ts'
import type { AlertView } from './views.ts'

/** Open before resolved; of open ones the critical first, then the newest; of resolved ones the latest. */
export function compareAlerts(one: AlertView, other: AlertView): number {
  if (one.resolvedAt === undefined && other.resolvedAt === undefined)
    return rank(one) - rank(other) || newer(one.openedAt, other.openedAt) || other.id - one.id
  if (one.resolvedAt === undefined) return -1
  if (other.resolvedAt === undefined) return 1
  return newer(one.resolvedAt, other.resolvedAt) || other.id - one.id
}

/** Sorted by `compareAlerts`. */
export function alertRows(alerts: readonly Alert[]): readonly AlertView[] {
  const views = alerts
    .map((alert) => ({ alert, view: alertView(alert) }))
    .toSorted((a, b) => compareAlerts(a.view, b.view))
  const rows = new Map<string, (typeof views)[number][]>()
  for (const one of views) {
    const key = rowKey(one.alert, rows)
    rows.set(key, [...(rows.get(key) ?? []), one])
  }
  return [...rows.values()].flatMap((members) => rowOf(members)).toSorted(compareAlerts)
}

/** For overviews: only an alert's own page shows its diff. */
export function withoutDiff({ diff: _diff, ...alert }: AlertView): AlertView {
  return alert
}

type Shown = { readonly alert: Alert; readonly view: AlertView }

/** `web-2` before `web-10`, as on the fleet page. */
const byNumber = new Intl.Collator('en', { numeric: true })

/** Alerts that resolved at about the same time share a row. */
const endedTogetherMs = 5 * 60_000

function rowKey({ id, common, resolvedAt, end }: Alert, rows: ReadonlyMap<string, readonly Shown[]>): string {
  if (common === undefined) return `alert:${id}`
  if (resolvedAt === undefined) return `open:${common.key}`
  // Members come latest first: an alert that resolved long before the last one begins a new row.
  for (let turn = 0; ; turn += 1) {
    const key = `resolved:${common.key}:${JSON.stringify(end)}:${turn}`
    const last = rows.get(key)?.at(-1)?.alert.resolvedAt
    if (last === undefined || Date.parse(last) - Date.parse(resolvedAt) <= endedTogetherMs) return key
  }
}

function rowOf([first, ...others]: readonly Shown[]): readonly AlertView[] {
  if (first === undefined) return []
  const { common } = first.alert
  if (others.length === 0 || common === undefined) return [first.view]
  const members = [first, ...others]
  const hosts = [...new Set(members.flatMap(({ view }) => view.host ?? []))].toSorted(byNumber.compare)
  if (hosts.length < 2) return [first.view]
  const { host: _host, ...view } = first.view
  const title = common.title.replace('{hosts}', `${hosts.length} hosts`)
  return [{ ...view, title, hosts, members: members.map(({ view: { id } }) => id) }]
}

function alertView({
  key: _key,
  scope: _scope,
  updatedAt: _updatedAt,
  common: _common,
  remedy,
  ...alert
}: Alert): AlertView {
  // A resolved alert needs no action.
  return remedy === undefined || alert.resolvedAt !== undefined ? alert : { ...alert, text: `${alert.text}\n${remedy}` }
}

function rank({ severity }: AlertView): number {
  return severity === 'critical' ? 0 : 1
}

function newer(one: string, other: string): number {
  return one < other ? 1 : one > other ? -1 : 0
}
