// What units will be doing when a trigger speaks to them: worked out in advance, service by service, in the order of the apply. Pure.
import { parseResourceId, type ResourceId } from '../../shared/names.ts'
import { isOfKind, type UnitResource } from '../../shared/resource.ts'
import type { LiveResource, ResourceChange } from '../resources/kind.ts'
import { isRunning, unitActions } from '../resources/unit-actions.ts'

/** Whether a trigger's unit will run with its old files, and so be told: `maybe` when only the apply itself can show it. */
export type Foreseen = 'yes' | 'maybe' | 'no'

export type Forecast = {
  /** By name; those that could not be observed are not in it. */
  readonly units: ReadonlyMap<string, 'running' | 'resting' | 'absent'>
  /** Packages are installed: a unit that is not there yet may come with one, and then usually runs. */
  readonly isInstalling: boolean
  /** Those that the service itself starts after its files were written, unless a package did before: then `maybe`. */
  readonly started: ReadonlyMap<string, Foreseen>
}

export function forecastAt(live: ReadonlyMap<ResourceId, LiveResource>): Forecast {
  const units = [...live].flatMap(([id, { attributes }]) => {
    if (!isOfKind(id, 'unit')) return []
    const rests = attributes['type'] === 'missing' ? ('absent' as const) : ('resting' as const)
    return [[parseResourceId(id).name, isRunning(attributes['state'] ?? '') ? ('running' as const) : rests] as const]
  })
  return { units: new Map(units), isInstalling: false, started: new Map() }
}

/** After the changes of the next service, before its triggers. */
export function forecastAfter(before: Forecast, changes: readonly ResourceChange[]): Forecast {
  const isInstalling = before.isInstalling || changes.some(({ desired }) => desired?.kind === 'package')
  const units = new Map(before.units)
  const started = new Map<string, Foreseen>()
  for (const change of changes.filter(isUnit)) {
    const name = parseResourceId(change.id).name
    const actions = unitActions(change)
    if (actions.includes('start')) {
      started.set(name, mayComeRunning(change, isInstalling) ? 'maybe' : 'no')
      units.set(name, 'running')
    }
    if (actions.includes('stop')) units.set(name, 'resting')
  }
  return { units, isInstalling, started }
}

export function foreseen(name: string, { units, isInstalling, started }: Forecast): Foreseen {
  const byItself = started.get(name)
  if (byItself !== undefined) return byItself
  const state = units.get(name)
  if (state === undefined) return 'maybe'
  if (state === 'absent') return isInstalling ? 'maybe' : 'no'
  return state === 'running' ? 'yes' : 'no'
}

/** A unit that is nowhere yet comes with a package, which starts it before the service's files are written. */
export function mayComeRunning({ desired, live }: ResourceChange<UnitResource>, isInstalling: boolean): boolean {
  return isInstalling && live.attributes['type'] === 'missing' && desired?.file === undefined
}

export function isUnit(change: ResourceChange): change is ResourceChange<UnitResource> {
  return isOfKind(change.id, 'unit')
}
