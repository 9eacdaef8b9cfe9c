// In: what would be changed, and what is held. Out: the services that wait for the end of a hold on another one. Pure.
import type { ResourceId, ServiceName } from '../../shared/names.ts'
import type { Hold } from '../../shared/report.ts'
import { pathInId } from '../resources/paths.ts'
import { kindNameOf } from '../resources/registry.ts'
import { pendingOf, type ServiceComparison } from './compare.ts'

/** Why a service waits; `service` is the one it waits for, `hold` is what keeps that one. */
export type Waits = {
  readonly kind: 'after-held' | 'after-waiting' | 'takes-over'
  readonly service: ServiceName
  /** The service that is held, which may be one before it. */
  readonly held: ServiceName
  readonly hold: Hold
}

export type HoldOf = (service: ServiceName) => Hold | undefined

type Planned = {
  readonly service: ServiceName
  readonly after: readonly ServiceName[]
  readonly changed: readonly ResourceId[]
}

/**
 * A service that comes after a held one with something pending counts on that being applied first; one that would take over
 * what a held one was applied with - a file that moved, a service that was renamed - would change what is to be left alone.
 */
export function waitsIn(
  planned: readonly Planned[],
  services: readonly ServiceComparison[],
  holdOf: HoldOf,
): ReadonlyMap<ServiceName, Waits> {
  const behind = new Map<ServiceName, Waits>(
    services.flatMap((compared) => {
      const hold = holdOf(compared.service)
      if (hold === undefined || pendingOf(compared).length === 0) return []
      return [
        [compared.service, { kind: 'after-held', service: compared.service, held: compared.service, hold }] as const,
      ]
    }),
  )
  const owned = ownedByHeld(services, holdOf)
  const waiting = new Map<ServiceName, Waits>()
  for (const { service, after, changed } of planned) {
    if (changed.length === 0) continue
    const earlier = after.map((name) => behind.get(name)).find((found) => found !== undefined)
    const taken = changed.flatMap(keysOf).map((key) => owned.get(key))
    const waits = earlier ?? taken.find((found) => found !== undefined)
    if (waits === undefined) continue
    waiting.set(service, waits)
    behind.set(service, { kind: 'after-waiting', service, held: waits.held, hold: waits.hold })
  }
  return waiting
}

/** Ids and paths of what held services were applied with. */
function ownedByHeld(services: readonly ServiceComparison[], holdOf: HoldOf): ReadonlyMap<string, Waits> {
  return new Map(
    services.flatMap(({ service, baseline }) => {
      const hold = holdOf(service)
      if (hold === undefined || baseline === undefined) return []
      const waits: Waits = { kind: 'takes-over', service, held: service, hold }
      return [...baseline.resources.keys()].flatMap(keysOf).map((key) => [key, waits] as const)
    }),
  )
}

/** Many services may want one package: it belongs to none of them. */
function keysOf(id: ResourceId): readonly string[] {
  if (kindNameOf(id) === 'package') return []
  const path = pathInId(id)
  return path === undefined ? [id] : [path]
}
