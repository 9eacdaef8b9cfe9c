// What an apply does to a unit, worked out from its state alone: a plan says it in advance, the unit kind does it. Pure.
import { parseResourceId } from '../../shared/names.ts'
import type { UnitResource } from '../../shared/resource.ts'
import type { LiveResource, ResourceChange, UnitFacts } from './kind.ts'
import { isAsGood } from './unit-state.ts'

export type UnitAction = 'unmask' | 'reenable' | 'enable' | 'disable' | 'stop' | 'mask' | 'start'

export type UnitState = Pick<LiveResource, 'attributes' | 'unit'>

/** In the order they are told. `now` is what to go by when it is not what was observed for the plan. */
export function unitActions(change: ResourceChange<UnitResource>, now: UnitState = change.live): readonly UnitAction[] {
  const { desired, baseline, live } = change
  const here = { enabled: now.attributes['enabled'] ?? 'missing', state: now.attributes['state'] ?? 'missing' }
  if (desired === undefined) return releasing(here, baseline?.attributes['enabled'] === 'masked', now.unit)
  if (desired.masked) return masking(here)
  // A oneshot unit that is not running now may never have run: then what was seen before the change decides.
  const neverRan = here.state === 'finished' && live.attributes['state'] === 'missing'
  const isSkipped = here.state === 'skipped' && live.unit?.isEndedByCondition !== true
  return [
    ...when(isMasked(here.enabled), 'unmask'),
    ...when(isInstallable(here.enabled) && isInstalledElsewhere(change), 'reenable'),
    ...when(desired.enabled === true && !isAsGood(here.enabled, 'yes'), 'enable'),
    ...when(desired.enabled === false && !isAsGood(here.enabled, 'no'), 'disable'),
    ...when(desired.state === 'stopped' && !isAsGood(here.state, 'stopped'), 'stop'),
    ...when(desired.state === 'running' && (neverRan || !(isSkipped || isAsGood(here.state, 'running'))), 'start'),
  ]
}

/** Static is what has no [Install] section yet. */
export function isInstallable(enabled: string | undefined): boolean {
  return enabled === 'yes' || enabled === 'static'
}

function isInstalledElsewhere({ differences }: ResourceChange<UnitResource>): boolean {
  return differences.some(({ name }) => name === 'install')
}

/** `enable and start caddy.service`, `leave ssh.service as it is: its file is a package's`. */
export function unitPlanText(change: ResourceChange<UnitResource>): string {
  const verbs = unitActions(change)
  return verbs.length === 0 ? `leave ${reasonToLeave(change, change.live)}` : sentence(verbs, change)
}

/** The same in the past tense; a package may have done all of it before: `nginx.service was already correct`. `skipped`: not started, and why. */
export function unitDoneText(change: ResourceChange<UnitResource>, before: UnitState, skipped?: string): string {
  const done = unitActions(change, before)
  const verbs = done.filter((action) => skipped === undefined || action !== 'start').map((action) => pastOf[action])
  if (skipped !== undefined)
    return verbs.length === 0 ? `${nameOf(change)} ${skipped}` : `${sentence(verbs, change)}; ${skipped}`
  if (verbs.length > 0) return sentence(verbs, change)
  if (change.desired !== undefined) return `${change.desired.name} was already correct`
  return `left ${reasonToLeave(change, before)}`
}

/** Also for a mask that a reboot takes away. */
export function isMasked(enabled: string): boolean {
  return enabled === 'masked' || enabled === 'masked until reboot'
}

export function isRunning(state: string): boolean {
  return state === 'running' || state === 'starting' || state === 'restarting'
}

type Here = { readonly enabled: string; readonly state: string }

function masking({ enabled, state }: Here): readonly UnitAction[] {
  return [...when(!isAsGood(state, 'stopped'), 'stop'), ...when(enabled !== 'masked', 'mask')]
}

/** A mask of ours goes with it. What the distribution starts is not ours to stop: nobody wants ssh gone for a line removed. */
function releasing({ enabled, state }: Here, wasMasked: boolean, unit: UnitFacts | undefined): readonly UnitAction[] {
  if (wasMasked && isMasked(enabled)) return ['unmask']
  if (unit?.isOfPackage) return []
  const isOrphan = enabled === 'missing' && state === 'running'
  return [
    ...when(enabled === 'yes' || enabled === 'until reboot' || isOrphan, 'disable'),
    ...when(!resting.includes(state), 'stop'),
  ]
}

const resting = ['stopped', 'failed', 'finished', 'skipped', 'missing', 'template']

function when(isSo: boolean, action: UnitAction): readonly UnitAction[] {
  return isSo ? [action] : []
}

function sentence(verbs: readonly string[], change: ResourceChange<UnitResource>): string {
  const [last = '', ...others] = verbs.toReversed()
  return `${others.length === 0 ? '' : `${others.toReversed().join(', ')} and `}${last} ${nameOf(change)}`
}

function reasonToLeave(change: ResourceChange<UnitResource>, { unit }: UnitState): string {
  const why = unit?.isOfPackage ? "its file is a package's" : 'it neither runs nor is enabled'
  return `${nameOf(change)} as it is: ${why}`
}

function nameOf({ id }: ResourceChange<UnitResource>): string {
  return parseResourceId(id).name
}

const pastOf: Readonly<Record<UnitAction, string>> = {
  unmask: 'unmasked',
  reenable: 'reenabled',
  enable: 'enabled',
  disable: 'disabled',
  stop: 'stopped',
  mask: 'masked',
  start: 'started',
}
