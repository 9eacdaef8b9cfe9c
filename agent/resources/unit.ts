// systemd units: enabled or not, running or not. Their files are files; a unit whose file changed is restarted by its
// trigger, not here. A unit that left the repository is stopped and disabled when its file is not a package's; a
// package's unit is left as it is, like the package itself (package.ts): nobody wants ssh stopped for a line removed.
import { z } from 'zod'
import type { AbsolutePath, ResourceId } from '../../shared/names.ts'
import { PlumbError, problemsOf } from '../../shared/problem.ts'
import type { UnitResource } from '../../shared/resource.ts'
import type { HostReader, HostWriter } from '../host/host.ts'
import {
  daemonReload,
  disableUnits,
  enableUnits,
  forgetRestarts,
  maskUnits,
  stopUnits,
  type UnitStatus,
  unitStatuses,
  unmaskUnits,
} from '../host/systemd.ts'
import { startUnits } from '../host/unit-start.ts'
import { compareAttributes } from './compare.ts'
import type {
  ApplyHost,
  AttributeDifference,
  Attributes,
  LiveResource,
  ResourceChange,
  ResourceKind,
  Subject,
} from './kind.ts'
import { isMasked, isRunning, type UnitAction, type UnitState, unitActions, unitDoneText } from './unit-actions.ts'
import { isLocal, overridesOf } from './unit-files.ts'
import { enablementText, isAsGood, stateText, unitAttributes } from './unit-state.ts'

const savedUnitSchema = z.object({ name: z.string(), enabled: z.string(), state: z.string() })

type SavedUnit = z.infer<typeof savedUnitSchema>

export const unitKind: ResourceKind<UnitResource, SavedUnit> = {
  kind: 'unit',
  attributes,
  observe,
  compare,
  describe,
  save,
  change,
  restore,
}

function attributes({ enabled, state, masked }: UnitResource): Attributes {
  if (masked) return { enabled: 'masked', state: 'stopped' }
  return {
    ...(enabled === undefined ? {} : { enabled: enabled ? 'yes' : 'no' }),
    ...(state === undefined ? {} : { state }),
  }
}

async function observe(subjects: readonly Subject<UnitResource>[], host: HostReader) {
  if (subjects.length === 0) return new Map<ResourceId, LiveResource>()
  try {
    const statuses = await statusesOf(subjects, host.query)
    const overrides = overridesOf(
      statuses.map(([, { name }]) => name),
      host.files,
    )
    return new Map(statuses.map(([{ id }, unit]) => [id, withFiles(unit, overrides.get(unit.name) ?? [])] as const))
  } catch (error) {
    const [problem] = problemsOf(error)
    return new Map(subjects.map(({ id }) => [id, { attributes: {}, ...(problem ? { problem } : {}) }] as const))
  }
}

function compare({ desired, baseline }: Subject<UnitResource>, live: LiveResource) {
  const wanted = desired && attributes(desired)
  const seenAs = (expected: Attributes | undefined) =>
    compareAttributes(wanted, baseline?.attributes, leniently(live.attributes, expected))
  const { drift } = seenAs(baseline?.attributes)
  const { pending } = seenAs(wanted ?? baseline?.attributes)
  return { drift: desired !== undefined && live.unit?.isForgotten ? [...drift, forgotten] : drift, pending }
}

/** Drift whoever applied what: an apply of ours never leaves it. */
const forgotten: AttributeDifference = {
  name: 'loaded',
  expected: 'its files as they are',
  live: 'as they were before',
}

function leniently(live: Attributes, expected: Attributes = {}): Attributes {
  return Object.fromEntries(
    Object.entries(live).map(([name, here]) => {
      const wanted = expected[name]
      return [name, wanted !== undefined && isAsGood(here, wanted) ? wanted : here]
    }),
  )
}

function describe(id: ResourceId, differences: readonly AttributeDifference[]): string {
  const texts = differences.map(({ name, expected, live }) => {
    if (name === 'type') return 'no longer in the repository'
    if (name === 'loaded') return 'its files changed, and systemd has not read them again (systemctl daemon-reload)'
    return name === 'enabled'
      ? `${enabledWord(live)}, should be ${enabledWord(expected)}`
      : `${live}, should be ${expected}`
  })
  return `${nameOf(id)}: ${texts.join('; ')}`
}

function enabledWord(value: string): string {
  return value === 'yes' ? 'enabled' : value === 'no' ? 'disabled' : value
}

async function save(changes: readonly ResourceChange<UnitResource>[], host: HostReader): Promise<readonly SavedUnit[]> {
  const statuses = await statusesOf(changes, host.query)
  return statuses.map(([, unit]) => ({ name: unit.name, enabled: enablementText(unit), state: stateText(unit) }))
}

/** One line for each change. */
async function change(changes: readonly ResourceChange<UnitResource>[], host: ApplyHost): Promise<readonly string[]> {
  const before = await freshStatuses(changes, host)
  const planned = before.map(([one, unit]) => ({ one, unit, actions: unitActions(one, stateOf(unit)) }))
  const named = (action: UnitAction) =>
    planned.flatMap(({ unit, actions }) => (actions.includes(action) ? unit.name : []))
  await stopUnits(named('stop'), host.run)
  await unmaskUnits(named('unmask'), host.run)
  // What a mask hid is known only now.
  const now = named('unmask').length === 0 ? before : await statusesOf(changes, host.query)
  const lacking = now.find(([{ desired }, unit]) => needsUnit(desired) && unitAttributes(unit)['type'] === 'missing')
  if (lacking !== undefined) throw noSuchUnit(lacking[1].name)
  const has = new Map(now.map(([, unit]) => [unit.name, enablementText(unit)]))
  const lacks = (wanted: string) => (name: string) => !isAsGood(has.get(name) ?? 'missing', wanted)
  await enableUnits(named('enable').filter(lacks('yes')), host.run)
  // Of a unit that is gone, the symlinks that enabled it are left.
  await disableUnits(
    named('disable').filter((name) => has.get(name) === 'missing' || lacks('no')(name)),
    host.run,
  )
  await maskAll(named('mask'), host)
  const looping = new Set(before.flatMap(([, unit]) => (unit.isInRestartLoop ? unit.name : [])))
  await forgetRestarts(
    named('start').filter((name) => looping.has(name)),
    host.run,
  )
  await startUnits(named('start'), host.run)
  return before.map(([one, unit]) => unitDoneText(one, stateOf(unit)))
}

/** By what is on disk: systemd reads it first, when it has not yet. */
async function freshStatuses(
  changes: readonly ResourceChange<UnitResource>[],
  { query, run }: ApplyHost,
): Promise<readonly Status[]> {
  const statuses = await statusesOf(changes, query)
  if (!statuses.some(([, unit]) => unit.needsDaemonReload)) return statuses
  await daemonReload(run)
  return statusesOf(changes, query)
}

function needsUnit(desired: UnitResource | undefined): boolean {
  return desired?.enabled === true || desired?.state === 'running'
}

/** Between its stop and its mask a unit may have been started by its socket: nothing does so afterwards. */
async function maskAll(names: readonly string[], { run, query }: ApplyHost): Promise<void> {
  if (names.length === 0) return
  await maskUnits(names, run)
  const now = await unitStatuses(names, query)
  const again = [...now.values()].filter((unit) => !isAsGood(stateText(unit), 'stopped'))
  await stopUnits(
    again.map(({ name }) => name),
    run,
  )
}

function stateOf(unit: UnitStatus): UnitState {
  const isOfPackage = /^\/(?:usr\/)?lib\//.test(unit.fragmentPath)
  const attributes = unitAttributes(unit)
  const isLooping = unit.isInRestartLoop && attributes['state'] === 'running'
  return {
    attributes: isLooping ? { ...attributes, state: 'restarting' } : attributes,
    unit: { isOfPackage, isStale: unit.needsDaemonReload },
  }
}

function withFiles(unit: UnitStatus, overrides: readonly AbsolutePath[]): LiveResource {
  const { attributes, unit: facts } = stateOf(unit)
  const isTheirs = overrides.length > 0 || [unit.fragmentPath, ...unit.dropInPaths].some(isLocal)
  const isForgotten = unit.needsDaemonReload && isTheirs
  return { attributes, ...(facts === undefined ? {} : { unit: { ...facts, isForgotten, overrides } }) }
}

/** After files are back in place: a unit that was there and ran is enabled and running again, a new one is stopped and disabled. */
async function restore(saved: readonly SavedUnit[], host: HostWriter): Promise<void> {
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
  await disableUnits(
    names(({ name, enabled }) => enabled !== 'yes' && !isMasked(enabled) && isNow(name, 'enabled', isEnabled)),
    host.run,
  )
  await stopUnits(
    names((unit) => !ran(unit) && isNow(unit.name, 'state', isRunning)),
    host.run,
  )
  await maskUnits(
    names(({ name, enabled }) => isMasked(enabled) && !isNow(name, 'enabled', isMasked)),
    host.run,
  )
  await enableUnits(
    names(({ name, enabled }) => enabled === 'yes' && !isNow(name, 'enabled', isEnabled)),
    host.run,
  )
  await startUnits(
    names((unit) => ran(unit) && !isNow(unit.name, 'state', (state) => state === 'running')),
    host.run,
  )
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

type Status = readonly [ResourceChange<UnitResource>, UnitStatus]

async function statusesOf<S extends Subject<UnitResource>>(
  subjects: readonly S[],
  query: HostReader['query'],
): Promise<readonly (readonly [S, UnitStatus])[]> {
  const statuses = await unitStatuses(
    subjects.map(({ id }) => nameOf(id)),
    query,
  )
  return subjects.flatMap((subject) => {
    const unit = statuses.get(nameOf(subject.id))
    return unit === undefined ? [] : [[subject, unit] as const]
  })
}

function nameOf(id: ResourceId): string {
  return id.slice(id.indexOf(':') + 1)
}

function noSuchUnit(name: string): PlumbError {
  return new PlumbError({
    code: 'apply-failed',
    message: `${name}: there is no such unit on this host.`,
    remedy: 'Add the package it comes with to `packages`, or its file to units/.',
  })
}
