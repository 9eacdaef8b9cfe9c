// systemd units: enabled or not, running or not. Their files are files; a unit whose file changed is restarted by its
// trigger, not here. A unit that left the repository is stopped and disabled when its file is not a package's; a
// package's unit is left as it is, like the package itself (package.ts): nobody wants ssh stopped for a line removed.
import { z } from 'zod'
import type { ResourceId } from '../../shared/names.ts'
import { PlumbError, problemsOf } from '../../shared/problem.ts'
import type { UnitResource } from '../../shared/resource.ts'
import type { HostReader, HostWriter } from '../host/host.ts'
import {
  daemonReload,
  disableUnits,
  enableUnits,
  maskUnits,
  startUnits,
  stopUnits,
  type UnitStatus,
  unitStatuses,
  unmaskUnits,
} from '../host/systemd.ts'
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

function attributes({ enabled, state }: UnitResource): Attributes {
  return {
    ...(enabled === undefined ? {} : { enabled: enabled ? 'yes' : 'no' }),
    ...(state === undefined ? {} : { state }),
  }
}

async function observe(subjects: readonly Subject<UnitResource>[], host: HostReader) {
  if (subjects.length === 0) return new Map<ResourceId, LiveResource>()
  try {
    const statuses = await statusesOf(subjects, host.query)
    return new Map(statuses.map(([{ id }, unit]) => [id, { attributes: unitAttributes(unit) }] as const))
  } catch (error) {
    const [problem] = problemsOf(error)
    return new Map(subjects.map(({ id }) => [id, { attributes: {}, ...(problem ? { problem } : {}) }] as const))
  }
}

function compare({ desired, baseline }: Subject<UnitResource>, live: LiveResource) {
  const wanted = desired && attributes(desired)
  const seenAs = (expected: Attributes | undefined) =>
    compareAttributes(wanted, baseline?.attributes, leniently(live.attributes, expected))
  return { drift: seenAs(baseline?.attributes).drift, pending: seenAs(wanted ?? baseline?.attributes).pending }
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

/** One line for each unit that something was done to, in the order of the changes. */
async function change(changes: readonly ResourceChange<UnitResource>[], host: ApplyHost): Promise<readonly string[]> {
  const before = await statusesOf(changes, host.query)
  if (before.some(([, unit]) => unit.needsDaemonReload)) await daemonReload(host.run)
  const released = await release(
    before.filter(([{ desired }]) => desired === undefined).map(([, unit]) => unit),
    host,
  )
  const wanted = before.filter(([{ desired }]) => desired !== undefined)
  const unmask = wanted.filter(([, unit]) => enablementText(unit) === 'masked').map(([, { name }]) => name)
  await unmaskUnits(unmask, host.run)
  const changed = wanted.map(([one]) => one)
  const { enable, disable, stop, start } = stepsFor(await statusesOf(changed, host.query))
  await enableUnits(enable, host.run)
  await disableUnits(disable, host.run)
  await stopUnits(stop, host.run)
  await startUnits(start, host.run)
  const done = {
    unmasked: unmask,
    enabled: enable,
    disabled: [...disable, ...released.disabled],
    stopped: [...stop, ...released.stopped],
    started: start,
  }
  return before.flatMap(([{ desired }, unit]) => {
    if (desired === undefined && isOfPackage(unit)) return [`left ${unit.name} as it is: its file is a package's`]
    return lineFor(unit.name, done) ?? []
  })
}

/** `unmasked, enabled and started caddy.service`. */
function lineFor(name: string, done: Readonly<Record<string, readonly string[]>>): string | undefined {
  const verbs = Object.keys(done).filter((verb) => done[verb]?.includes(name))
  const last = verbs.at(-1)
  if (last === undefined) return undefined
  return verbs.length === 1 ? `${last} ${name}` : `${verbs.slice(0, -1).join(', ')} and ${last} ${name}`
}

type Steps = Readonly<Record<'enable' | 'disable' | 'stop' | 'start', readonly string[]>>

function stepsFor(units: readonly Status[]): Steps {
  const lacking = units.find(([{ desired }, unit]) => needsUnit(desired) && unitAttributes(unit)['type'] === 'missing')
  if (lacking !== undefined) throw noSuchUnit(lacking[1].name)
  const named = (matches: (status: Status) => boolean) => units.filter(matches).map(([, unit]) => unit.name)
  return {
    enable: named(([{ desired }, unit]) => desired?.enabled === true && !isAsGood(enablementText(unit), 'yes')),
    disable: named(([{ desired }, unit]) => desired?.enabled === false && !isAsGood(enablementText(unit), 'no')),
    stop: named(([{ desired }, unit]) => desired?.state === 'stopped' && !isAsGood(stateText(unit), 'stopped')),
    // A oneshot unit that is not running now may never have run: then what was seen before the change decides.
    start: named(
      ([{ desired, live }, unit]) =>
        desired?.state === 'running' &&
        (!isAsGood(stateText(unit), 'running') ||
          (stateText(unit) === 'finished' && live.attributes['state'] === 'missing')),
    ),
  }
}

function needsUnit(desired: UnitResource | undefined): boolean {
  return desired?.enabled === true || desired?.state === 'running'
}

type Released = Readonly<Record<'stopped' | 'disabled', readonly string[]>>

async function release(units: readonly UnitStatus[], host: ApplyHost): Promise<Released> {
  const ours = units.filter((unit) => !isOfPackage(unit))
  const running = ours.filter(
    (unit) => !['stopped', 'failed', 'finished', 'skipped', 'missing', 'template'].includes(stateText(unit)),
  )
  await stopUnits(
    running.map(({ name }) => name),
    host.run,
  )
  const enabled = ours.filter((unit) => ['yes', 'until reboot'].includes(enablementText(unit)) || isOrphan(unit))
  await disableUnits(
    enabled.map(({ name }) => name),
    host.run,
  )
  return { stopped: running.map(({ name }) => name), disabled: enabled.map(({ name }) => name) }
}

function isOfPackage({ fragmentPath }: UnitStatus): boolean {
  return /^\/(?:usr\/)?lib\//.test(fragmentPath)
}

/** Its file is gone, yet it runs or has symlinks that enable it. */
function isOrphan(unit: UnitStatus): boolean {
  return unit.loadState === 'not-found' && unit.activeState === 'active'
}

/** After files are back in place: a unit that was there and ran is enabled and running again, a new one is stopped and disabled. */
async function restore(saved: readonly SavedUnit[], host: HostWriter): Promise<void> {
  const units = z.array(savedUnitSchema).parse(saved)
  const names = (matches: (unit: SavedUnit) => boolean) => units.filter(matches).map(({ name }) => name)
  await daemonReload(host.run)
  const now = await unitStatuses(
    units.map(({ name }) => name),
    host.query,
  )
  const isNow = (name: string, attribute: 'enabled' | 'state', value: string) => {
    const unit = now.get(name)
    return unit !== undefined && unitAttributes(unit)[attribute] === value
  }
  const ran = ({ state }: SavedUnit) => state === 'running' || state === 'starting' || state === 'restarting'
  await unmaskUnits(
    names(({ name, enabled }) => enabled !== 'masked' && isNow(name, 'enabled', 'masked')),
    host.run,
  )
  await disableUnits(
    names(({ name, enabled }) => enabled !== 'yes' && isNow(name, 'enabled', 'yes')),
    host.run,
  )
  await stopUnits(
    names(
      (unit) => !ran(unit) && ['running', 'starting', 'restarting'].some((state) => isNow(unit.name, 'state', state)),
    ),
    host.run,
  )
  await maskUnits(
    names(({ name, enabled }) => enabled === 'masked' && !isNow(name, 'enabled', 'masked')),
    host.run,
  )
  await enableUnits(
    names(({ name, enabled }) => enabled === 'yes' && !isNow(name, 'enabled', 'yes')),
    host.run,
  )
  await startUnits(
    names((unit) => ran(unit) && !isNow(unit.name, 'state', 'running')),
    host.run,
  )
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
