// Units as they were before an apply that failed.
import { z } from 'zod'
import { type ResourceId, resourceId } from '../../shared/names.ts'
import type { HostWriter } from '../host/host.ts'
import { removeContainersOf, removeObjects } from '../host/podman-objects.ts'
import {
  daemonReload,
  disableUnits,
  enableUnits,
  maskUnits,
  stopUnits,
  type UnitStatus,
  unitStatuses,
  unmaskUnits,
} from '../host/systemd.ts'
import { startUnits } from '../host/unit-start.ts'
import { isMasked, isRunning } from './unit-actions.ts'
import { presentLinks } from './unit-links.ts'
import { unitAttributes } from './unit-state.ts'

const madeSchema = z.object({
  kind: z.enum(['network', 'volume']),
  name: z.string(),
  madeBy: z.string().exactOptional(),
})

const savedUnitSchema = z.object({
  name: z.string(),
  enabled: z.string(),
  state: z.string(),
  links: z.array(z.string()).optional(),
  /** Of one that was not there: what its first start makes of podman's, and was not there either. */
  made: z.array(madeSchema).optional(),
})

export type SavedUnit = z.infer<typeof savedUnitSchema>

/** What of an undo point says how the unit was. */
const formerUnitSchema = savedUnitSchema.pick({ name: true, enabled: true, state: true })

/** A unit that did not run before. */
export function isResting(point: unknown): boolean {
  const unit = formerUnitSchema.safeParse(point)
  return unit.success && !['running', 'starting', 'restarting'].includes(unit.data.state)
}

/** One that neither ran nor was enabled before: its file may be about to go. */
export function isNewUnit(point: unknown): boolean {
  const unit = formerUnitSchema.safeParse(point)
  return isResting(point) && unit.success && unit.data.enabled !== 'yes'
}

/** None: the point is not one of a unit. */
export function unitIdOf(point: unknown): readonly ResourceId[] {
  const unit = formerUnitSchema.safeParse(point)
  return unit.success ? [resourceId('unit', unit.data.name)] : []
}

/** After files are back in place: a unit that was there and ran is enabled and running again, a new one is stopped and disabled. */
export async function restoreUnits(saved: readonly SavedUnit[], host: HostWriter): Promise<void> {
  const units = z.array(savedUnitSchema).parse(saved)
  const names = (matches: (unit: SavedUnit) => boolean) => units.filter(matches).map(({ name }) => name)
  const now = await statusesAsOnDisk(
    units.map(({ name }) => name),
    host,
  )
  const isNow = (name: string, attribute: 'enabled' | 'state', holds: (value: string) => boolean) => {
    const unit = now.get(name)
    return unit !== undefined && holds(unitAttributes(unit)[attribute] ?? '')
  }
  const ran = ({ state }: SavedUnit) => isRunning(state)
  await unmaskUnits(
    names(({ name, enabled }) => !isMasked(enabled) && isNow(name, 'enabled', isMasked)),
    host.run,
  )
  // Whether it was enabled beneath a mask could not be seen: most are.
  const realName = realNames(now.values())
  await disableUnits(
    realName(
      names(({ name, enabled }) => enabled !== 'yes' && !isMasked(enabled) && isNow(name, 'enabled', isEnabled)),
    ),
    host.run,
  )
  // Its file is the former one again: what enabling makes of it is what was there.
  await disableUnits(
    names(
      ({ name, enabled, links = [] }) =>
        enabled === 'yes' && isNow(name, 'enabled', isEnabled) && presentLinks(links, host.files).length < links.length,
    ),
    host.run,
  )
  await stopUnits(
    names((unit) => !ran(unit) && isNow(unit.name, 'state', isRunning)),
    host.run,
  )
  await removeMade(units, host)
  await maskUnits(
    names(({ name, enabled }) => isMasked(enabled) && !isNow(name, 'enabled', isMasked)),
    host.run,
  )
  await enableUnits(
    realName(
      names(
        ({ name, enabled, links = [] }) =>
          enabled === 'yes' &&
          (!isNow(name, 'enabled', isEnabled) || presentLinks(links, host.files).length < links.length),
      ),
    ),
    host.run,
  )
  await startUnits(
    names((unit) => ran(unit) && !isNow(unit.name, 'state', (state) => state === 'running')),
    host.run,
  )
}

/** Nothing is left of a first start: data of an earlier one is not of this apply, and stays. */
async function removeMade(units: readonly SavedUnit[], { run }: HostWriter): Promise<void> {
  const made = units.filter((unit) => unit.made !== undefined && unit.made.length > 0)
  if (made.length === 0) return
  await removeContainersOf(
    made.map(({ name }) => name),
    run,
  )
  const objects = made.flatMap((unit) => unit.made ?? [])
  await removeObjects([...new Map(objects.map((one) => [`${one.kind}:${one.name}`, one])).values()], run)
}

/** systemd reads its units again when it has others than those on disk: their files have just been put back. */
async function statusesAsOnDisk(names: readonly string[], { query, run }: HostWriter) {
  const known = await unitStatuses(names, query)
  if (![...known.values()].some(({ needsDaemonReload }) => needsDaemonReload)) return known
  await daemonReload(run)
  return await unitStatuses(names, query)
}

function isEnabled(value: string): boolean {
  return value === 'yes'
}

/** systemctl refuses to enable a unit by an alias. */
export function realNames(units: Iterable<UnitStatus>): (names: readonly string[]) => readonly string[] {
  const ids = new Map([...units].map(({ name, id }) => [name, id]))
  return (names) => [...new Set(names.map((name) => ids.get(name) ?? name))]
}
