// What a changed unit file asks of its unit when it runs: the least that brings the change and keeps what the unit holds. Pure.
import type { UnitTrigger } from '../resource.ts'

/**
 * Undefined: nothing, the change counts from its next start on. A swap has no data of its own to lose, but turning it off takes
 * its pages into memory, which may not hold them; and all that a change can mean (priority, options) is not worth that.
 */
export function triggerOfChange(unit: string): UnitTrigger | undefined {
  const suffix = unit.slice(unit.lastIndexOf('.'))
  if (suffix === '.swap') return undefined
  return { kind: suffix === '.mount' || suffix === '.automount' ? 'reload-or-restart' : 'restart', unit }
}
