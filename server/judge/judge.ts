// judge: compares current facts with open alerts and returns which to open, update, amend or resolve. Pure.
import type { AlertEnd } from '../alert-end.ts'
import type { Alert, Cause } from '../store/alerts.ts'
import type { Context, FleetFacts, HostFacts, Surroundings } from './facts.ts'
import { fleetConditions } from './fleet-conditions.ts'
import { hostConditions } from './host-conditions.ts'

export type Facts = {
  readonly hosts: readonly HostFacts[]
  /** Absent when only hosts are evaluated. */
  readonly fleet?: FleetFacts
  readonly surroundings: Surroundings
  /** All open alerts of the evaluated scopes. An alert whose cause is not found again is resolved. */
  readonly openAlerts: readonly Alert[]
}

export type AlertChange =
  | { readonly kind: 'open'; readonly cause: Cause }
  | { readonly kind: 'update'; readonly alert: Alert; readonly cause: Cause }
  /** The cause is the same and only the remedy changed: recorded, not sent. */
  | { readonly kind: 'amend'; readonly alert: Alert; readonly cause: Cause }
  | { readonly kind: 'resolve'; readonly alert: Alert; readonly end: AlertEnd }

export function judge(facts: Facts): readonly AlertChange[] {
  const open = new Map(facts.openAlerts.map((alert) => [alert.key, alert]))
  const causes = causesIn(facts, open)
  const changes: AlertChange[] = []
  for (const cause of causes.values()) {
    const alert = open.get(cause.key)
    if (alert === undefined) changes.push({ kind: 'open', cause })
    else if (saysMore(alert, cause)) changes.push({ kind: 'update', alert, cause })
    else if (alert.remedy !== cause.remedy || alert.common?.key !== cause.common?.key)
      changes.push({ kind: 'amend', alert, cause })
  }
  const hosts = new Map(facts.hosts.map((host) => [`host:${host.host}`, host]))
  for (const alert of facts.openAlerts) {
    const host = hosts.get(alert.scope)
    if (!causes.has(alert.key) && !(host !== undefined && isUnanswered(alert, host)))
      changes.push({ kind: 'resolve', alert, end: endOf(alert, host, facts) })
  }
  return changes
}

/** The host has reported nothing about the service that could resolve its alert. */
function isUnanswered({ service }: Alert, { given, isElsewhere, services }: HostFacts): boolean {
  if (service === undefined || !(given?.includes(service) ?? true)) return false
  return isElsewhere || !services.some((report) => report.service === service)
}

function causesIn({ hosts, fleet, surroundings }: Facts, open: ReadonlyMap<string, Alert>): ReadonlyMap<string, Cause> {
  const isOpen = (key: string) => open.has(key)
  const causes: Cause[] = hosts.flatMap((host) => hostCauses(host, { ...surroundings, isOpen }))
  if (fleet !== undefined) {
    for (const { kind, severity, found } of fleetConditions) {
      for (const cause of found(fleet)) causes.push({ scope: 'fleet', kind, severity, ...cause })
    }
  }
  return new Map(causes.map((cause) => [cause.key, cause]))
}

function hostCauses(facts: HostFacts, context: Context): readonly Cause[] {
  const { host } = facts
  return hostConditions.flatMap(({ kind, severity, found }) =>
    found(facts, context).map((cause) => ({ scope: `host:${host}` as const, kind, severity, host, ...cause })),
  )
}

/** A cause that would be found without the hold did not end: the hold hides it. */
function endOf(alert: Alert, host: HostFacts | undefined, { surroundings }: Facts): AlertEnd {
  if (alert.scope === 'fleet') return { kind: 'no-longer-true' }
  if (host === undefined) return { kind: 'host-removed' }
  const { service } = alert
  const own = host.services.filter((report) => service === undefined || report.service === service)
  if (service !== undefined && own.length === 0) return { kind: 'service-left' }
  const hold = own.find((report) => report.hold !== undefined)?.hold
  if (hold === undefined) return { kind: 'no-longer-true' }
  const released = { ...host, services: own.map(({ hold: _hold, ...report }) => report) }
  const isHidden = hostCauses(released, { ...surroundings, isOpen: () => true }).some(({ key }) => key === alert.key)
  return isHidden ? { kind: 'held', by: hold.by, until: hold.until } : { kind: 'no-longer-true' }
}

function saysMore(alert: Alert, cause: Cause): boolean {
  return alert.title !== cause.title || alert.text !== cause.text || alert.diff !== cause.diff
}
