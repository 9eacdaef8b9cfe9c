// systemd units: enabled or not, running or not. Their files are files; a unit whose file changed is restarted by its
// trigger, not here. A unit that left the repository is stopped and disabled when its file is not a package's; a
// package's unit is left as it is, like the package itself (package.ts): nobody wants ssh stopped for a line removed.
import { compact } from '../../shared/compact.ts'
import { type AbsolutePath, parseResourceId, type ResourceId } from '../../shared/names.ts'
import { problemsOf } from '../../shared/problem.ts'
import type { EngineObject, UnitResource } from '../../shared/resource.ts'
import { podmanObjects } from '../host/engine-objects.ts'
import { unitChangedAt } from '../host/evidence/state-times.ts'
import type { HostReader } from '../host/host.ts'
import { missingObjects } from '../host/podman-objects.ts'
import {
  daemonReload,
  disableUnits,
  enableUnits,
  forgetRestarts,
  maskUnits,
  shownUnits,
  stopUnits,
  type UnitStatus,
  unitStatuses,
  unmaskUnits,
  unmetCondition,
} from '../host/systemd.ts'
import { skippedText, startUnits } from '../host/unit-start.ts'
import { heldData } from './held-data.ts'
import type { ApplyHost, HeldData, LastRun, LiveResource, ResourceChange, ResourceKind, Subject } from './kind.ts'
import { lastRuns } from './last-run.ts'
import { pathOf } from './paths.ts'
import {
  isInstallable,
  isMasked,
  type UnitAction,
  type UnitState,
  unitActions,
  unitDoneText,
  unitPlanText,
} from './unit-actions.ts'
import { compareUnit, unitAttributesOf, unitCodes } from './unit-compare.ts'
import { isLocal, localUnitRoots, overridesOf } from './unit-files.ts'
import { linksIn, linksText, presentLinks } from './unit-links.ts'
import { emptyUnitFile, maskOfAlias, noSuchUnit } from './unit-problems.ts'
import { realNames, restoreUnits, type SavedUnit } from './unit-restore.ts'
import { enablementText, isAsGood, maySkip, stateText, unitAttributes } from './unit-state.ts'
import { unitText } from './unit-text.ts'

export const unitKind: ResourceKind<UnitResource, SavedUnit> = {
  kind: 'unit',
  order: 'after-paths',
  needs: 'units',
  // That systemd has not read its files.
  correctedByTools: ['loaded'],
  attributes: unitAttributesOf,
  watches: ({ name }) => ({ units: [name], trees: localUnitRoots }),
  observe,
  compare: compareUnit,
  codes: unitCodes,
  describe: unitText,
  isAdoptable: ({ name, live }) =>
    (name === 'enabled' && ['yes', 'no'].includes(live)) || (name === 'state' && ['running', 'stopped'].includes(live)),
  notAdopted: undefined,
  // When it was enabled or disabled systemd does not say.
  changedAt: async (name, drift, { query, deadlineSeconds }) =>
    drift.some((one) => one.name === 'state') ? unitChangedAt(query, name, deadlineSeconds) : undefined,
  planText: unitPlanText,
  stepText: () => 'change units',
  save,
  change,
  restore: restoreUnits,
}

async function observe(subjects: readonly Subject<UnitResource>[], host: HostReader) {
  if (subjects.length === 0) return new Map<ResourceId, LiveResource>()
  try {
    const statuses = await statusesOf(subjects, host.query)
    const overrides = overridesOf(
      statuses.map(([, { name }]) => name),
      host.files,
    )
    const runs = await lastRuns(statuses, host.query)
    const objects = await podmanObjects(
      subjects.flatMap(({ desired }) => desired?.objects ?? []),
      host.query,
    )
    const held = await heldData(subjects, host)
    return new Map(
      statuses.map(([subject, unit]) => {
        const live = withLastRun(withFacts(subject, unit, overrides.get(unit.name) ?? []), runs.get(unit.name))
        const problem = live.attributes['type'] === 'missing' ? undefined : held.unknown.get(subject.id)
        const seen = withHeld(withObjects(live, objects), held.data.get(subject.id))
        return [subject.id, { ...withLinks(seen, subject, host), ...compact({ problem }) }]
      }),
    )
  } catch (error) {
    const [problem] = problemsOf(error)
    return new Map(subjects.map(({ id }) => [id, { attributes: {}, ...(problem ? { problem } : {}) }] as const))
  }
}

function withObjects(live: LiveResource, objects: readonly EngineObject[]): LiveResource {
  return live.unit === undefined || objects.length === 0 ? live : { ...live, unit: { ...live.unit, objects } }
}

function withHeld(live: LiveResource, held: HeldData | undefined): LiveResource {
  return held === undefined || live.unit === undefined ? live : { ...live, unit: { ...live.unit, held } }
}

function withLastRun(live: LiveResource, lastRun: LastRun | undefined): LiveResource {
  return lastRun === undefined || live.unit === undefined ? live : { ...live, unit: { ...live.unit, lastRun } }
}

/** Of the links that enable it now, or did when it was last applied, those that are there. */
function withLinks(live: LiveResource, { desired, baseline }: Subject<UnitResource>, host: HostReader): LiveResource {
  if (desired?.links === undefined || !isInstallable(live.attributes['enabled'])) return live
  const known = [...new Set([...desired.links, ...linksIn(baseline?.attributes['install'])])]
  return { ...live, attributes: { ...live.attributes, install: linksText(presentLinks(known, host.files)) } }
}

async function save(changes: readonly ResourceChange<UnitResource>[], host: HostReader): Promise<readonly SavedUnit[]> {
  const statuses = await statusesOf(changes, host.query)
  const first = changes.filter(({ live }) => live.attributes['type'] === 'missing')
  const absent = await missingObjects(
    first.flatMap(({ desired }) => desired?.makes ?? []),
    host.query,
  )
  return statuses.map(([{ live, desired }, unit]) => {
    const { install, enabled = 'missing', state = 'missing' } = live.attributes
    // Masked by what this apply wrote: as it was before that.
    if (isEmptied(desired, unit, host)) return { name: unit.name, enabled, state }
    const links = install === undefined ? {} : { links: [...linksIn(install)] }
    const made =
      live.attributes['type'] === 'missing' ? (desired?.makes ?? []).filter((one) => absent.includes(one)) : []
    return {
      ...{ name: unit.name, enabled: enablementText(unit), state: stateText(unit), ...links },
      ...(made.length === 0 ? {} : { made: [...made] }),
    }
  })
}

/** One line for each change. */
async function change(changes: readonly ResourceChange<UnitResource>[], host: ApplyHost): Promise<readonly string[]> {
  const before = await freshStatuses(changes, host)
  const planned = before.map(([one, unit]) => ({ one, unit, actions: unitActions(one, stateOf(unit)) }))
  const named = (action: UnitAction) =>
    planned.flatMap(({ unit, actions }) => (actions.includes(action) ? unit.name : []))
  const alias = planned.find(({ unit, actions }) => actions.includes('mask') && unit.id !== unit.name)
  if (alias !== undefined) throw maskOfAlias(alias.unit)
  const emptied = planned.find(({ one, unit }) => isEmptied(one.desired, unit, host))
  if (emptied !== undefined) throw emptyUnitFile(emptied.unit)
  await stopUnits(named('stop'), host.run)
  await unmaskUnits(named('unmask'), host.run)
  // What a mask hid is known only now.
  const now = named('unmask').length === 0 ? before : await statusesOf(changes, host.query)
  const lacking = now.find(([{ desired }, unit]) => needsUnit(desired) && unitAttributes(unit)['type'] === 'missing')
  if (lacking !== undefined) throw noSuchUnit(lacking[1].name)
  const has = new Map(now.map(([, unit]) => [unit.name, enablementText(unit)]))
  const lacks = (wanted: string) => (name: string) => !isAsGood(has.get(name) ?? 'missing', wanted)
  const realName = realNames(now.map(([, unit]) => unit))
  const again = named('reenable')
  await disableUnits(again, host.run)
  await enableUnits(again.filter(hasLinks(changes)), host.run)
  await enableUnits(realName(named('enable').filter(lacks('yes'))), host.run)
  // Of a unit that is gone, the symlinks that enabled it are left.
  await disableUnits(
    realName(named('disable').filter((name) => has.get(name) === 'missing' || lacks('no')(name))),
    host.run,
  )
  await maskAll(named('mask'), host)
  const looping = new Set(before.flatMap(([, unit]) => (unit.isInRestartLoop ? unit.name : [])))
  await forgetRestarts(
    named('start').filter((name) => looping.has(name)),
    host.run,
  )
  const ran = new Set(changes.flatMap(({ id, baseline }) => (baseline?.ran === true ? nameOf(id) : [])))
  const started = named('start')
  await startUnits(started, host.run, { waiting: host.waiting, maySkip: (unit) => maySkip(unit, ran.has(unit.name)) })
  const skipped = await skippedOf(started, host.query)
  return before.map(([one, unit]) => unitDoneText(one, stateOf(unit), skipped.get(unit.name)))
}

/** By name, what kept it from being started. */
async function skippedOf(names: readonly string[], query: HostReader['query']): Promise<ReadonlyMap<string, string>> {
  const now = names.length === 0 ? [] : [...(await shownUnits(names, query)).values()]
  const skipped = now.filter((unit) => stateText(unit) === 'skipped')
  const texts = skipped.map(async ({ name }) => [name, skippedText(await unmetCondition(name, query))] as const)
  return new Map(await Promise.all(texts))
}

/** An empty unit file is a mask, and `systemctl unmask` removes it. */
function isEmptied(desired: UnitResource | undefined, unit: UnitStatus, { files }: HostReader): boolean {
  if (desired?.file === undefined || !isMasked(enablementText(unit))) return false
  const stat = files.stat(pathOf(desired.file))
  return stat?.type === 'file' && stat.size === 0
}

/** `systemctl enable` of a unit without an [Install] section only warns. */
function hasLinks(changes: readonly ResourceChange<UnitResource>[]): (name: string) => boolean {
  const linked = changes.filter(({ desired }) => (desired?.links ?? []).length > 0)
  return (name) => linked.some(({ desired }) => desired?.name === name)
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

function withFacts(
  { baseline }: Subject<UnitResource>,
  unit: UnitStatus,
  overrides: readonly AbsolutePath[],
): LiveResource {
  const { attributes, unit: facts } = stateOf(unit)
  const isTheirs = overrides.length > 0 || [unit.fragmentPath, ...unit.dropInPaths].some(isLocal)
  const isForgotten = unit.needsDaemonReload && isTheirs
  if (facts === undefined) return { attributes }
  const isUp = unit.activeState === 'active' && unit.type !== 'oneshot'
  const isEndedByCondition = attributes['state'] === 'skipped' && !maySkip(unit, baseline?.ran === true)
  return { attributes, unit: { ...facts, isForgotten, overrides, isUp, isEndedByCondition } }
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
  return parseResourceId(id).name
}
