// Units and settings of systemd that would stop, replace or confine the agent that applies them. One account of it for lint and hosts. Pure.
import { isTable, mountHazard, placeOfMountUnit, tableHazards, wordsOf } from './agent-ground.ts'
import { quadletAt, withSpecifiers } from './quadlet.ts'
import { agentUnit, restartGuard, usualPlaceOf } from './reserved.ts'
import { type UnitSetting, unitSettings } from './unit-settings.ts'

export type AgentHazard = {
  readonly line: number
  /** `Conflicts=plumb.service` */
  readonly written: string
  /** What becomes of the agent: `starting this unit stops the agent`. */
  readonly why: string
}

/** `target`: where on a host the text is put; what systemd does not read as a unit or as its own configuration has none. */
export function agentHazards(target: string, text: string): readonly AgentHazard[] {
  if (isTable(target)) return tableHazards(target, text)
  const place = placeOf(target)
  if (place === undefined) return []
  return unitSettings(text).flatMap((setting) => {
    const why = place.reasonOf(setting, place)
    const { key, value, line } = setting
    return why === undefined ? [] : [{ line, written: `${key}=${value}`.slice(0, 200), why }]
  })
}

/** A link in it makes the agent's unit require another one: that one stops the agent when it is stopped. */
export function isAgentRequirement(target: string): boolean {
  return new RegExp(`${unitDirectories}/${agentUnit.replace('.', '\\.')}\\.requires/`).test(usualPlaceOf(target))
}

/** A drop-in that systemd reads for the agent's unit: its own, or one of all services. Of a name without a dash there are no others. */
export function isDropInOfAgent(target: string): boolean {
  const [, unit] = new RegExp(`${unitDirectories}/([^/]+)\\.d/[^/]+\\.conf$`).exec(usualPlaceOf(target)) ?? []
  return unit === agentUnit || unit === 'service'
}

export function isReadForHazards(target: string): boolean {
  return isTable(target) || placeOf(target) !== undefined
}

type Place = {
  readonly reasonOf: Reason
  readonly name: string
  /** What systemd calls the unit that becomes of a quadlet; default: its name. */
  readonly unit?: string
}
type Reason = (setting: UnitSetting, place: Place) => string | undefined

const unitDirectories = '^/(?:etc|run|usr/(?:local/)?lib)/systemd/system(?:\\.control|\\.attached)?'

function placeOf(target: string): Place | undefined {
  const usual = usualPlaceOf(target)
  if (/^\/(?:etc|run|usr\/(?:local\/)?lib)\/systemd\/system\.conf(?:\.d\/[^/]+\.conf)?$/.test(usual))
    return { reasonOf: reasonOfManager, name: '' }
  const [, unit = '', dropIn] = new RegExp(`${unitDirectories}/([^/]+?)(?:\\.d/([^/]+\\.conf))?$`).exec(usual) ?? []
  // A drop-in of services in general is one of the agent's, too.
  if (dropIn !== undefined && (unit === agentUnit || unit === 'service' || isPrefixOfGuard(unit)))
    return { reasonOf: reasonOfOwn, name: unit }
  if (unit !== '') return { reasonOf: reasonOfOther, name: unit }
  const quadlet = quadletAt(usual)
  if (quadlet !== undefined)
    return { reasonOf: reasonOfOther, name: `${quadlet.stem}.${quadlet.kind}`, unit: quadlet.usualService }
  const other = /^\/(?:etc|run|usr\/share)\/containers\/systemd\/(?!users\/)(?:.*\/)?([^/]+)$/.exec(usual)?.[1]
  return other === undefined ? undefined : { reasonOf: reasonOfOther, name: other }
}

/** systemd reads the drop-ins of `plumb-.service.d` and `plumb-restart-.service.d` for plumb-restart-guard.service, too. */
function isPrefixOfGuard(unit: string): boolean {
  const [, prefix] = /^(.+-)\.(?:service|timer)$/.exec(unit) ?? []
  return prefix !== undefined && restartGuard.startsWith(prefix)
}

/** The agent's unit, and what every service stands on: when one of these is stopped, so is the agent. */
export const underAgent: ReadonlySet<string> = new Set([
  agentUnit,
  'sysinit.target',
  'system.slice',
  '-.slice',
  '-.mount',
])

const reasonOfOther: Reason = ({ section, key, value }, { name, unit = name }) => {
  const named = unitsIn(value, unit)
  const written = name.replace(/\.d$/, '')
  if ((section === 'Mount' || section === 'Automount') && key === 'Where')
    return mountHazard(placeOfMountUnit(written) ?? value)
  if (section === 'Unit' && isIsolating(key, value)) return 'it stops everything else, the agent with it'
  if (section === 'Install' && named.includes(agentUnit)) {
    if (key === 'RequiredBy') return 'stopping this unit, or its failing start, stops the agent'
    if (key === 'Alias') return "this unit takes the place of the agent's"
  }
  if (section === 'Socket' && key === 'Service' && named.includes(agentUnit))
    return 'systemd does not start the socket of a service that runs: the agent would be stopped for it'
  if (section !== 'Unit' || named.length === 0) return undefined
  const through = named.includes(agentUnit) ? 'the agent' : `${named[0]}, and the agent with it`
  if (key === 'Conflicts') return `starting ${unitWord(name)} stops ${through}`
  if (key === 'PropagatesStopTo') return `stopping ${unitWord(name)} stops ${through}`
  return undefined
}

/** Those of `underAgent` that a list means, with the specifiers that the unit's name fills in; of a template any instance may run. */
function unitsIn(value: string, unit: string): readonly string[] {
  const any = unit.replace('@.', '@*.')
  return wordsOf(value).flatMap((word) => {
    const name = withSpecifiers(word, any) ?? ''
    return name.includes('*') ? (isInstance(name) ? [agentUnit] : []) : underAgent.has(name) ? [name] : []
  })
}

function isInstance(pattern: string): boolean {
  const [start = '', ...rest] = pattern.split('*')
  return agentUnit.startsWith(start) && agentUnit.endsWith(rest.at(-1) ?? '') && agentUnit.length >= pattern.length - 1
}

const reasonOfOwn: Reason = ({ section, key, value }, { name }) => {
  const whom = whomOf(name)
  if (value === '') return undefined
  if (section === 'Unit') {
    if (isIsolating(key, value)) return `where ${whom} ends, it stops everything else`
    if (stopping.has(key)) return `another unit stops ${whom}, or keeps it from starting`
    if (/^(?:Condition|Assert)[A-Z]/.test(key)) return `where it does not hold, it keeps ${whom} from starting`
    if (/^(?:Success|Failure|StartLimit)Action$/.test(key) && value !== 'none')
      return `where ${whom} ends, it ends or restarts the host`
    if (['RefuseManualStart', 'RefuseManualStop', 'StopWhenUnneeded'].includes(key) && isOn(value))
      return `it stops ${whom}, or keeps it from being restarted`
  }
  if (section !== 'Service') return undefined
  if (replacing.has(key)) return `it replaces what ${whom} runs, or as whom`
  if (key === 'RuntimeMaxSec' && value !== 'infinity') return `it ends ${whom} after that time`
  return confining.has(key) && isOn(value) ? `it confines ${whom}: ${needs}` : undefined
}

function whomOf(unit: string): string {
  if (unit === agentUnit) return 'the agent'
  return unit === 'service' ? 'every service and so the agent' : `${restartGuard}, which restores the agent,`
}

const reasonOfManager: Reason = ({ section, key, value }) => {
  if (section !== 'Manager' || !isOn(value)) return undefined
  return ['CapabilityBoundingSet', 'NoNewPrivileges', 'ProtectSystem', 'SystemCallArchitectures'].includes(key)
    ? `it confines every service and so the agent: ${needs}`
    : undefined
}

const needs = 'an apply writes anywhere and starts any program'

const stopping: ReadonlySet<string> = new Set([
  ...['Requires', 'Requisite', 'BindsTo', 'PartOf', 'Conflicts', 'StopPropagatedFrom', 'JobRunningTimeoutSec'],
])

const replacing: ReadonlySet<string> = new Set([
  ...['ExecStart', 'ExecStartPre', 'ExecCondition', 'ExecStop', 'Type', 'BusName', 'RootDirectory', 'RootImage'],
  ...['User', 'Group', 'DynamicUser', 'ExitType', 'GuessMainPID', 'PIDFile'],
])

const confining: ReadonlySet<string> = new Set([
  ...['ProtectSystem', 'ProtectHome', 'ReadOnlyPaths', 'InaccessiblePaths', 'NoExecPaths', 'TemporaryFileSystem'],
  ...['ProtectKernelTunables', 'ProtectKernelModules', 'ProtectControlGroups', 'ProtectProc', 'ProtectClock'],
  ...['PrivateTmp', 'PrivateDevices', 'PrivateNetwork', 'PrivateUsers', 'PrivateMounts', 'PrivateIPC', 'PrivatePIDs'],
  ...['CapabilityBoundingSet', 'NoNewPrivileges', 'SystemCallFilter', 'SystemCallArchitectures', 'RestrictNamespaces'],
  ...['RestrictAddressFamilies', 'RestrictFileSystems', 'RestrictSUIDSGID', 'MemoryDenyWriteExecute'],
  ...['IPAddressDeny', 'DevicePolicy', 'SecureBits'],
])

function isIsolating(key: string, value: string): boolean {
  return /^On(?:Failure|Success)JobMode$/.test(key) && ['isolate', 'flush'].includes(value)
}

function isOn(value: string): boolean {
  return !/^(?:|no|false|off|0|n|f|default|auto)$/i.test(value)
}

function unitWord(name: string): string {
  return name.endsWith('.d') || name === '' ? 'this unit' : name
}
