// A unit's status in words: what is compared, shown and reported of it.
import type { UnitStatus } from '../host/systemd.ts'
import type { Attributes } from './kind.ts'

/** `{ type: 'unit', enabled: 'masked', state: 'stopped' }`. */
export function unitAttributes(unit: UnitStatus): Attributes {
  const enabled = enablementText(unit)
  const state = stateText(unit)
  const isMissing = enabled === 'missing' && (state === 'missing' || state === 'template')
  return { type: isMissing ? 'missing' : 'unit', enabled, state }
}

/** Whether a live value will do for the wanted one: systemd cannot come closer to it, or need not. */
export function isAsGood(here: string, wanted: string): boolean {
  return here === wanted || (asGood[wanted]?.includes(here) ?? false)
}

/**
 * Whether a unit that is to run may rest because a condition of it does not hold: one that never ran under Plumbline may, and so may
 * a job, which often makes its own condition untrue. `ran`: it did at some time before this boot.
 */
export function maySkip({ type, wasActive }: Pick<UnitStatus, 'type' | 'wasActive'>, ran: boolean): boolean {
  return !wasActive && (type === 'oneshot' || !ran)
}

export function enablementText({ enablement, loadState, needsDaemonReload }: UnitStatus): string {
  if (loadState === 'template' && enablement !== 'not-found') return 'template'
  switch (enablement) {
    case 'enabled':
    case 'alias':
      return 'yes'
    case 'disabled':
    case 'linked':
    case 'linked-runtime':
      return 'no'
    case 'masked-runtime':
      return 'masked until reboot'
    case 'enabled-runtime':
      return 'until reboot'
    case 'not-found':
      // A unit whose file was removed is loaded until the next daemon-reload.
      return loadState === 'loaded' && !needsDaemonReload ? 'generated' : 'missing'
    default:
      return enablement
  }
}

export function stateText(unit: UnitStatus): string {
  if (unit.loadState === 'template') return 'template'
  switch (unit.activeState) {
    case 'active':
    case 'reloading':
    case 'refreshing':
      return 'running'
    case 'activating':
      if (unit.subState.startsWith('auto-restart')) return 'restarting'
      return unit.type === 'oneshot' ? 'running' : 'starting'
    case 'deactivating':
      return 'stopping'
    case 'failed':
      return 'failed'
    default:
      return restText(unit)
  }
}

function restText(unit: UnitStatus): string {
  if (unit.loadState === 'not-found') return 'missing'
  if (unit.conditionFailed) return 'skipped'
  return unit.type === 'oneshot' && !unit.remainAfterExit && unit.result === 'success' ? 'finished' : 'stopped'
}

const asGood: Readonly<Record<string, readonly string[]>> = {
  yes: ['static', 'indirect', 'generated', 'transient', 'template'],
  no: ['static', 'indirect', 'generated', 'transient', 'template', 'missing'],
  running: ['finished', 'starting', 'template'],
  stopped: ['finished', 'skipped', 'stopping', 'failed', 'missing', 'template'],
}
