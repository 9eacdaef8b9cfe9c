// judge: what is true of hosts and fleet, and the alerts that are open -> the changes that make the alerts say what is true. Pure.
import type { Alert, Cause } from '../store/alerts.ts'
import { type FleetFacts, fleetConditions, type HostFacts, hostConditions, type Surroundings } from './conditions.ts'

export type Facts = {
  readonly hosts: readonly HostFacts[]
  /** Absent when only hosts are looked at again. */
  readonly fleet?: FleetFacts
  readonly surroundings: Surroundings
  /** Every open alert of the scopes that are judged: one whose cause is not found again is resolved. */
  readonly openAlerts: readonly Alert[]
}

export type AlertChange =
  | { readonly kind: 'open'; readonly cause: Cause }
  | { readonly kind: 'update'; readonly alert: Alert; readonly cause: Cause }
  | { readonly kind: 'resolve'; readonly alert: Alert }

export function judge(facts: Facts): readonly AlertChange[] {
  const open = new Map(facts.openAlerts.map((alert) => [alert.key, alert]))
  const causes = causesIn(facts, open)
  const changes: AlertChange[] = []
  for (const cause of causes.values()) {
    const alert = open.get(cause.key)
    if (alert === undefined) changes.push({ kind: 'open', cause })
    else if (saysMore(alert, cause)) changes.push({ kind: 'update', alert, cause })
  }
  for (const alert of facts.openAlerts) {
    if (!causes.has(alert.key)) changes.push({ kind: 'resolve', alert })
  }
  return changes
}

function causesIn({ hosts, fleet, surroundings }: Facts, open: ReadonlyMap<string, Alert>): ReadonlyMap<string, Cause> {
  const isOpen = (key: string) => open.has(key)
  const causes: Cause[] = []
  for (const host of hosts) {
    const scope = `host:${host.host}` as const
    for (const { kind, severity, found } of hostConditions) {
      for (const cause of found(host, { ...surroundings, isOpen })) {
        causes.push({ scope, kind, severity, host: host.host, ...cause })
      }
    }
  }
  if (fleet !== undefined) {
    for (const { kind, severity, found } of fleetConditions) {
      for (const cause of found(fleet)) causes.push({ scope: 'fleet', kind, severity, ...cause })
    }
  }
  return new Map(causes.map((cause) => [cause.key, cause]))
}

function saysMore(alert: Alert, cause: Cause): boolean {
  return alert.title !== cause.title || alert.text !== cause.text || alert.diff !== cause.diff
}
