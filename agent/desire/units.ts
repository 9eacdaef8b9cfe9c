// What a service wants of systemd: its unit resources, and the restarts that a changed unit file or quadlet implies.
import { compact } from '../../shared/compact.ts'
import { type ResourceId, resourceId } from '../../shared/names.ts'
import { isDropInOfAgent } from '../../shared/repository/agent-hazards.ts'
import { triggerOfChange } from '../../shared/repository/changed-unit.ts'
import { unitDirectory } from '../../shared/repository/layout.ts'
import { agentUnit } from '../../shared/repository/reserved.ts'
import type { UnitSettings } from '../../shared/repository/service.ts'
import { isTemplateUnit, templateOfUnit } from '../../shared/repository/unit-names.ts'
import type { TriggerAction, UnitResource } from '../../shared/resource.ts'
import type { ManagedFile, ManagedService } from './managed-files.ts'
import { serviceOfQuadlet } from './quadlets.ts'

/**
 * Units of units/ are enabled and running, those that systemd makes of quadlets are running (they cannot be enabled), unless
 * service.yaml says otherwise; units of packages only as far as it says.
 */
export function unitResources({ service, files }: ManagedService): readonly UnitResource[] {
  const own = new Map(files.flatMap((file) => ownUnits(file, service.directory)))
  const settled = [...own.keys()].filter((name) => !isTemplateUnit(name) && !name.endsWith('.slice'))
  const names = [...new Set([...settled, ...service.settings.units.keys()])]
  return names.map((name) => {
    const unit = own.get(name) ?? own.get(templateOfUnit(name))
    const settings = service.settings.units.get(name)
    return {
      kind: 'unit',
      id: resourceId('unit', name),
      name,
      ...wantedState(name, settings, own),
      ...compact({ onDrift: settings?.onDrift }),
      ...(unit === undefined ? {} : { file: unit.file }),
    }
  })
}

/** For a file without triggers of its own: what is done to units that run, for the file to take effect. */
export function impliedTriggers(file: ManagedFile, units: readonly UnitResource[]): readonly TriggerAction[] {
  return readersOf(file, units).flatMap((unit) => triggerOfChange(unit) ?? [])
}

/** Units that read a unit file, drop-in or quadlet, but for those that take it at their next run. */
export function readersOf(file: ManagedFile, units: readonly UnitResource[]): readonly string[] {
  // Of all services that read it, the agent alone is restarted: so that what keeps it from coming up is found, and taken back.
  if (isDropInOfAgent(file.target)) return [agentUnit]
  const unit = serviceOf(file) ?? unitOfFile(file.target)
  if (unit === undefined) return []
  const affected = units.filter(({ name }) => name === unit || templateOfUnit(name) === unit)
  const names = affected.length > 0 || isTemplateUnit(unit) ? affected.map(({ name }) => name) : [unit]
  return names.filter((name) => !isStartedByTimer(name, units))
}

type OwnUnit = { readonly file: ResourceId; readonly quadlet: boolean }

function ownUnits(file: ManagedFile, directory: string): readonly (readonly [string, OwnUnit])[] {
  const quadlet = serviceOf(file)
  if (quadlet !== undefined && isRunning(file.target)) return [[quadlet, { file: file.id, quadlet: true }]]
  const prefix = `${directory}/units/`
  const name = file.source.slice(prefix.length)
  const isUnit = file.source.startsWith(prefix) && !name.includes('/')
  return isUnit ? [[name, { file: file.id, quadlet: false }]] : []
}

type WantedState = Omit<UnitSettings, 'onDrift'>

/** What a mask says, it says alone. */
function wantedState(name: string, settings: UnitSettings | undefined, own: ReadonlyMap<string, OwnUnit>): WantedState {
  if (settings?.masked) return { masked: true }
  const { onDrift: _, ...said } = settings ?? {}
  return own.has(name) ? { ...stateByDefault(name, own), ...said } : packageUnitState(said)
}

function stateByDefault(name: string, own: ReadonlyMap<string, OwnUnit>): WantedState {
  const starters = ['timer', 'socket', 'path'].map((kind) => name.replace(/\.service$/, `.${kind}`))
  if (name.endsWith('.service') && starters.some((starter) => own.has(starter))) return {}
  return own.get(name)?.quadlet === true ? { state: 'running' } : { enabled: true, state: 'running' }
}

/** `nginx.service: {}` means: enabled and running. */
function packageUnitState(said: WantedState): WantedState {
  return Object.keys(said).length === 0 ? { enabled: true, state: 'running' } : said
}

/** A changed job takes effect at its next run; running it now would be a surprise. */
function isStartedByTimer(unit: string, units: readonly UnitResource[]): boolean {
  const starters = ['timer', 'path'].map((kind) => unit.replace(/\.service$/, `.${kind}`))
  return unit.endsWith('.service') && units.some(({ name }) => starters.includes(name))
}

/** The unit behind a unit file or drop-in; none for slices, which daemon-reload changes, nor for drop-ins of many units. */
function unitOfFile(target: string): string | undefined {
  if (!target.startsWith(`${unitDirectory}/`)) return undefined
  const [name = '', conf] = target.slice(unitDirectory.length + 1).split('/')
  const unit = conf === undefined ? name : name.replace(/\.d$/, '')
  return /[^-]\.(?:service|socket|timer|path|mount|automount|swap)$/.test(unit) ? unit : undefined
}

/** The service that systemd's generator makes of a quadlet or its drop-in. */
function serviceOf({ target, generates }: ManagedFile): string | undefined {
  return generates ?? serviceOfQuadlet(target)
}

/** Builds and pulls are run by the containers that need them. */
function isRunning(quadlet: string): boolean {
  return /\.(?:container|kube|pod)$/.test(quadlet)
}
