// The order inside one service: what leaves, packages, users, files, validation of them all, tools, units, compose, triggers, checks.

import type { ResourceId } from '../../shared/names.ts'
import { parentsOf } from '../../shared/places.ts'
import { quadletAt } from '../../shared/repository/quadlet.ts'
import { agentUnit } from '../../shared/repository/reserved.ts'
import type { JobAtStart } from '../../shared/repository/timer-start.ts'
import {
  type Check,
  type DesiredService,
  isOfKind,
  type ResourceKindName,
  type Trigger,
  type TriggerAction,
  type UnitTrigger,
} from '../../shared/resource.ts'
import type { Capabilities } from '../host/host.ts'
import { type ChangedPaths, daemonReloadTool, type ToolStep, toolSteps } from '../host/tools.ts'
import type { ChangeStep } from '../resources/change-step.ts'
import type { ResourceChange } from '../resources/kind.ts'
import { pathInId, pathOf } from '../resources/paths.ts'
import { kindNameOf, kindNamesOf, kinds } from '../resources/registry.ts'
import { isReturning } from '../resources/removal/originals.ts'
import { triggersOnLeaving } from '../resources/subjects.ts'
import type { ComparedResource, ServiceComparison } from './compare.ts'
import { deepestFirst, directories, isReplacing, purges, purgesUnseen } from './directory-changes.ts'
import { type Forecast, type Foreseen, forecastAfter, foreseen, isUnit, mayComeRunning } from './forecast.ts'
import { projectsTouched, withoutRepeats } from './touched.ts'

export type Step =
  | ChangeStep
  | { readonly kind: 'tools'; readonly tools: readonly ToolStep[] }
  /** A program's own check of all its files, when they are in place and before anything is told of them. */
  | { readonly kind: 'validate'; readonly command: string }
  /** One that is not foreseen is taken when its unit turns out to run with its old files: somebody else started it meanwhile. */
  | {
      readonly kind: 'trigger'
      readonly action: TriggerAction
      readonly foreseen: Foreseen
      /** Of a timer of the service that is restarted. */
      readonly startsJob?: JobAtStart
    }
  | { readonly kind: 'check'; readonly check: Check }
  /** Of the agent's own unit: taken when the whole apply is recorded, since it ends this process. */
  | { readonly kind: 'restart-agent'; readonly of: readonly ResourceId[] }

export function stepsFor(
  { desired: revised, resources }: ServiceComparison,
  chosen: readonly ComparedResource[],
  { capabilities, forecast, replaced, restartedLater }: Circumstances,
): readonly Step[] {
  const touched = projectsTouched(resources, chosen, replaced)
  if (chosen.length + touched.length === 0) return []
  const desired = revised && withoutRepeats(revised, restartedLater)
  const changes = [...chosen, ...touched].map(({ comparison: _, ...change }) => change)
  if (!capabilities.commands) return resourceSteps(changes, desired, { tools: [], validation: [], purged: [] })
  const after = forecastAfter(forecast, changes)
  const purged = resources.filter((resource) => resource.desired?.kind === 'directory' && resource.desired.purge)
  const commands = { tools: toolsFor(changes), validation: validationOf(changes, desired), purged }
  return [
    ...resourceSteps(changes, desired, commands).map((step) => withDoubts(step, after)),
    ...triggerSteps(desired, changes, { before: forecast, after }),
    ...(desired?.checks ?? []).map((check): Step => ({ kind: 'check', check })),
    ...agentRestarts(desired, changes, { before: forecast, after }),
  ]
}

/** What is done between the changes. */
type Commands = {
  readonly tools: readonly ToolStep[]
  readonly validation: readonly Step[]
  /** All directories that are purged, also those with nothing in them that is to go. */
  readonly purged: readonly ComparedResource[]
}

/**
 * `forecast`: before this service. `replaced`: the paths that services before this one replace. `restartedLater`: the units that
 * services after this one restart by their own changes.
 */
type Circumstances = {
  readonly capabilities: Capabilities
  readonly forecast: Forecast
  readonly replaced: ReadonlySet<string>
  readonly restartedLater: ReadonlySet<string>
}

function toolsFor(changes: readonly ResourceChange[]): readonly ToolStep[] {
  const tools = toolSteps(changedPaths(changes))
  if (tools.some(({ command }) => command.args.includes('daemon-reload'))) return tools
  const isStale = changes.some((one) => isUnit(one) && one.live.unit?.isStale)
  return isStale ? [...tools, daemonReloadTool] : tools
}

function withDoubts(step: Step, { isInstalling }: Forecast): Step {
  if (step.kind !== 'change' || step.resource !== 'unit') return step
  const uncertain = step.changes.filter((one) => isUnit(one) && mayComeRunning(one, isInstalling)).map(({ id }) => id)
  return uncertain.length === 0 ? step : { ...step, uncertain }
}

function resourceSteps(
  changes: readonly ResourceChange[],
  desired: DesiredService | undefined,
  { tools, validation, purged }: Commands,
): readonly Step[] {
  const of = (kind: ResourceKindName) => changes.filter(({ id }) => kindNameOf(id) === kind)
  const left = (kind: ResourceKindName) => of(kind).filter((change) => change.desired === undefined)
  const wanted = (kind: ResourceKindName) => of(kind).filter((change) => change.desired !== undefined)
  const isInTheWay = inTheWayOf(desired)
  const cleared = (kind: ResourceKindName) => left(kind).filter(({ id }) => isInTheWay(id))
  const later = (kind: ResourceKindName) => left(kind).filter((one) => !isInTheWay(one.id) && !isReturning(one))
  const [early, files] = split(wanted('file'), isForUsers)
  const [replacing, made] = split(
    directories(wanted('directory'), (name) => name !== 'extra'),
    isReplacing,
  )
  const [before, after] = [kindNamesOf('before-paths'), kindNamesOf('after-paths')]
  const isInstalling = before.some((kind) => wanted(kind).length > 0)
  return [
    // What uses another kind leaves before it.
    ...after.toReversed().flatMap((kind) => change(kind, left(kind))),
    ...before.flatMap((kind) => change(kind, of(kind))),
    ...change('file', cleared('file')),
    ...change('symlink', cleared('symlink')),
    ...change('directory', deepestFirst(cleared('directory'))),
    ...change('file', early),
    ...run(tools.filter(({ when }) => when === 'before-files')),
    // What was below a link is seen as it is only when a directory has taken its place.
    ...change('directory', replacing),
    ...change('directory', made),
    ...change('file', [...files, ...later('file')]),
    ...change('symlink', [...wanted('symlink'), ...later('symlink')]),
    ...change('directory', isInstalling ? [] : purges(wanted('directory'))),
    ...change('directory', deepestFirst(later('directory'))),
    ...(isInstalling ? purgesUnseen(purged, purges(wanted('directory'))) : []).flatMap((one) =>
      change('directory', [one]),
    ),
    ...returns(changes.filter(isReturning)),
    ...validation,
    ...run(tools.filter(({ when }) => when === 'after-files')),
    ...after.flatMap((kind) => change(kind, wanted(kind).filter(needsStep))),
  ]
}

function needsStep({ id, differences }: ResourceChange): boolean {
  const { correctedByTools } = kinds[kindNameOf(id)]
  return correctedByTools.length === 0 || differences.some(({ name }) => !correctedByTools.includes(name))
}

function change(resource: ResourceKindName, changes: readonly ResourceChange[]): readonly Step[] {
  return changes.length === 0 ? [] : [{ kind: 'change', resource, changes }]
}

/** Of what leaves with its service nothing is left to be wrong. */
function validationOf(changes: readonly ResourceChange[], desired: DesiredService | undefined): readonly Step[] {
  if (!changes.some(({ id }) => pathInId(id) !== undefined)) return []
  return (desired?.validate ?? []).map((command) => ({ kind: 'validate', command }))
}

/** What was there before, when all that took its place is gone: a directory before what was in it. */
function returns(changes: readonly ResourceChange[]): readonly Step[] {
  const steps: { readonly kind: 'change'; readonly resource: ResourceKindName; readonly changes: ResourceChange[] }[] =
    []
  for (const one of changes.toSorted((a, b) => (pathOf(a.id) < pathOf(b.id) ? -1 : 1))) {
    const resource = kindNameOf(one.id)
    const last = steps.at(-1)
    if (last?.resource === resource) last.changes.push(one)
    else steps.push({ kind: 'change', resource, changes: [one] })
  }
  return steps
}

function run(tools: readonly ToolStep[]): readonly Step[] {
  return tools.length === 0 ? [] : [{ kind: 'tools', tools }]
}

/** sysusers.d: users have to be there before files that are theirs. */
function isForUsers({ id }: ResourceChange): boolean {
  return toolSteps({ written: [pathOf(id)], removed: [] }).some(({ when }) => when === 'before-files')
}

function changedPaths(changes: readonly ResourceChange[]): ChangedPaths {
  const paths = changes.filter(({ id }) => pathInId(id) !== undefined && !isOfKind(id, 'directory'))
  const [removed, written] = split(paths, (one) => one.desired === undefined && !isReturning(one))
  return { written: written.map(({ id }) => pathOf(id)), removed: removed.map(({ id }) => pathOf(id)) }
}

/** What leaves where something else comes: a file where a directory is needed, or what is in a directory that becomes a file. */
function inTheWayOf(desired: DesiredService | undefined): (id: ResourceId) => boolean {
  const paths = (desired?.resources ?? []).flatMap((resource) => ('path' in resource ? [resource] : []))
  const taken = new Set(paths.flatMap(({ path }) => [path, ...parentsOf(path)]))
  const closed = new Set<string>(paths.filter(({ kind }) => kind !== 'directory').map(({ path }) => path))
  return (id) => {
    const path = pathInId(id) ?? ''
    return taken.has(path) || parentsOf(path).some((parent) => closed.has(parent))
  }
}

/** Before the service, and after its changes. */
type Forecasts = { readonly before: Forecast; readonly after: Forecast }

/** Each action once, however many files ask for it. */
function triggerSteps(
  desired: DesiredService | undefined,
  changes: readonly ResourceChange[],
  { before, after }: Forecasts,
): readonly Step[] {
  const fired = firedBy(desired, changes, before).filter((action) => !isOfAgent(action))
  const unique = [...new Map(fired.map((action) => [keyOf(action), action])).values()]
  const restarted = new Set(unique.flatMap((action) => (action.kind === 'restart' ? action.unit : [])))
  const needed = unique.filter((action) => action.kind === 'run' || !isCovered(action, restarted, after))
  return needed.map((action) => ({
    kind: 'trigger',
    action,
    foreseen: action.kind === 'run' ? 'yes' : foreseen(action.unit, after),
    ...jobOf(action, desired),
  }))
}

function jobOf(action: TriggerAction, desired: DesiredService | undefined): { readonly startsJob?: JobAtStart } {
  if (action.kind !== 'restart') return {}
  const unit = desired?.resources.find((one) => one.kind === 'unit' && one.name === action.unit)
  return unit?.kind === 'unit' && unit.startsJob !== undefined ? { startsJob: unit.startsJob } : {}
}

function firedBy(
  desired: DesiredService | undefined,
  changes: readonly ResourceChange[],
  before: Forecast,
): readonly TriggerAction[] {
  const changed = new Set(changes.map(({ id }) => id))
  const created = new Set(changes.filter(isCreated).map(({ id }) => pathInId(id)))
  // This apply itself starts what is made of a new quadlet.
  const isStarted = (id: ResourceId, { action, isGenerated }: Trigger) =>
    isGenerated === true &&
    created.has(quadletAt(pathInId(id) ?? '')?.main) &&
    !(action.kind !== 'run' && before.units.get(action.unit) === 'running')
  const fired = (desired?.triggers ?? []).filter((one) => one.on.some((id) => changed.has(id) && !isStarted(id, one)))
  return [...fired.map(({ action }) => action), ...changes.flatMap(triggersOnLeaving)]
}

function isCreated({ live, desired }: ResourceChange): boolean {
  return desired !== undefined && live.attributes['type'] === 'missing'
}

function isOfAgent(action: TriggerAction): boolean {
  return action.kind === 'restart' && action.unit === agentUnit
}

function agentRestarts(
  desired: DesiredService | undefined,
  changes: readonly ResourceChange[],
  { before, after }: Forecasts,
): readonly Step[] {
  const of = changes.filter((one) => firedBy(desired, [one], before).some(isOfAgent)).map(({ id }) => id)
  return of.length > 0 && foreseen(agentUnit, after) !== 'no' ? [{ kind: 'restart-agent', of }] : []
}

/** A restart makes all else of the same unit needless, and that of a socket restarts its service too, if it runs. */
function isCovered({ kind, unit }: UnitTrigger, restarted: ReadonlySet<string>, after: Forecast): boolean {
  const socket = unit.replace(/\.service$/, '.socket')
  const bySocket = socket !== unit && restarted.has(socket) && foreseen(socket, after) === 'yes'
  return bySocket || (kind !== 'restart' && restarted.has(unit))
}

function keyOf(action: TriggerAction): string {
  return action.kind === 'run' ? `run ${action.command}` : `${action.kind} ${action.unit}`
}

function split<T>(all: readonly T[], isFirst: (one: T) => boolean): readonly [readonly T[], readonly T[]] {
  return [all.filter(isFirst), all.filter((one) => !isFirst(one))]
}
