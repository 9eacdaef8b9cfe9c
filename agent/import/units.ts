// What service.yaml says of units so that what runs now is what it wants, and what a changed file asks of them.
import { isTemplateUnit } from '../../shared/repository/unit-names.ts'
import type { UnitStatus } from '../host/systemd.ts'
import { enablementText, stateText } from '../resources/unit-state.ts'

export type FoundUnit = {
  readonly status: UnitStatus
  /** Its file is in units/; otherwise it is a package's. */
  readonly isOwn: boolean
  /** To be said whatever its state: asked for, or named after the service or its package. */
  readonly isMain: boolean
  readonly package?: string
}

export type UnitSaid = { readonly enabled?: boolean; readonly state?: 'running' | 'stopped'; readonly masked?: true }

/** Undefined: nothing need be said. */
export function unitSaid({ status, isOwn, isMain }: FoundUnit): UnitSaid | undefined {
  const { name } = status
  const [enabled, state] = [enablementText(status), stateText(status)]
  if (isTemplateUnit(name) || name.endsWith('.slice') || enabled === 'missing') return undefined
  if (enabled === 'masked') return { masked: true }
  const isOn = runs.includes(state)
  if (isOwn && starts.includes(enabled) && isOn) return undefined
  if (!isOwn && !isMain && enabled !== 'yes' && state !== 'running') return undefined
  const said = {
    ...(enabled === 'yes' ? { enabled: true } : enabled === 'no' ? { enabled: false } : {}),
    // What failed is neither meant to run nor meant to be stopped: a person decides.
    ...(state === 'running'
      ? ({ state: 'running' } as const)
      : state === 'stopped'
        ? ({ state: 'stopped' } as const)
        : {}),
  }
  return Object.keys(said).length === 0 ? undefined : said
}

/** `enabled, running` */
export function unitText({ status }: FoundUnit): string {
  const enabled = enablementText(status)
  const word = enabled === 'yes' ? 'enabled' : enabled === 'no' ? 'disabled' : enabled
  return `${word}, ${stateText(status)}`
}

/** `reload nginx.service`, for a changed file of this package, or of none. */
export function triggersFor(
  path: string,
  { owners, units }: { readonly owners: readonly string[]; readonly units: readonly FoundUnit[] },
): readonly string[] {
  const running = units.filter(
    ({ status }) => status.name.endsWith('.service') && !isTemplateUnit(status.name) && stateText(status) === 'running',
  )
  const owned = running.filter((unit) => unit.package !== undefined && owners.includes(unit.package))
  const affected = owned.length > 0 ? owned : running
  // So many that a guess would do more harm than none.
  if (affected.length > 2) return []
  return affected.map(({ status }) => `${needsRestart(path, status) ? 'restart' : 'reload'} ${status.name}`)
}

const starts = ['yes', 'static', 'indirect', 'generated', 'transient']
const runs = ['running', 'finished', 'skipped', 'starting']

/** Environment files are read at the start alone; so are some settings of databases, whose units can be reloaded. */
function needsRestart(path: string, { canReload, name }: UnitStatus): boolean {
  return !canReload || /^\/etc\/(?:default|sysconfig)\//.test(path) || /^(?:postgres|mariadb|mysql)/.test(name)
}
