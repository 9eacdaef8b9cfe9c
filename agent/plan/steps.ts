// The order inside one service: what leaves, packages, users, files, tools, units, compose, triggers, checks.
import type { ResourceId } from '../../shared/names.ts'
import type { Check, DesiredService, ResourceKindName, TriggerAction } from '../../shared/resource.ts'
import type { Capabilities } from '../host/host.ts'
import { type ChangedPaths, type ToolStep, toolSteps } from '../host/tools.ts'
import type { ResourceChange } from '../resources/kind.ts'
import { pathInId, pathOf } from '../resources/paths.ts'
import { kindNameOf } from '../resources/registry.ts'
import { isReturning } from '../resources/returning.ts'
import type { ComparedResource, ServiceComparison } from './compare.ts'

export type Step =
  | { readonly kind: 'change'; readonly resource: ResourceKindName; readonly changes: readonly ResourceChange[] }
  | { readonly kind: 'tools'; readonly tools: readonly ToolStep[] }
  | { readonly kind: 'trigger'; readonly action: TriggerAction }
  | { readonly kind: 'check'; readonly check: Check }

export function stepsFor(
  { desired }: ServiceComparison,
  chosen: readonly ComparedResource[],
  capabilities: Capabilities,
): readonly Step[] {
  if (chosen.length === 0) return []
  const changes = chosen.map(({ comparison: _, ...change }) => change)
  const tools = capabilities.commands ? toolSteps(changedPaths(changes)) : []
  return [
    ...resourceSteps(changes, desired, tools),
    ...(capabilities.commands && desired !== undefined ? lastSteps(desired, changes) : []),
  ]
}

function resourceSteps(
  changes: readonly ResourceChange[],
  desired: DesiredService | undefined,
  tools: readonly ToolStep[],
): readonly Step[] {
  const of = (kind: ResourceKindName) => changes.filter(({ id }) => kindNameOf(id) === kind)
  const left = (kind: ResourceKindName) => of(kind).filter((change) => change.desired === undefined)
  const wanted = (kind: ResourceKindName) => of(kind).filter((change) => change.desired !== undefined)
  const isInTheWay = inTheWayOf(desired)
  const cleared = (kind: ResourceKindName) => left(kind).filter(({ id }) => isInTheWay(id))
  const later = (kind: ResourceKindName) => left(kind).filter((one) => !isInTheWay(one.id) && !isReturning(one))
  const [early, files] = split(wanted('file'), isForUsers)
  return [
    ...change('compose', left('compose')),
    ...change('unit', left('unit')),
    ...change('package', of('package')),
    ...change('file', cleared('file')),
    ...change('symlink', cleared('symlink')),
    ...change('directory', deepestFirst(cleared('directory'))),
    ...change('file', early),
    ...run(tools.filter(({ when }) => when === 'before-files')),
    ...change(
      'directory',
      directories(wanted('directory'), (name) => name !== 'extra'),
    ),
    ...change('file', [...files, ...later('file')]),
    ...change('symlink', [...wanted('symlink'), ...later('symlink')]),
    ...change(
      'directory',
      directories(wanted('directory'), (name) => name === 'extra'),
    ),
    ...change('directory', deepestFirst(later('directory'))),
    ...returns(changes.filter(isReturning)),
    ...run(tools.filter(({ when }) => when === 'after-files')),
    ...change('unit', wanted('unit')),
    ...change('compose', wanted('compose')),
  ]
}

function change(resource: ResourceKindName, changes: readonly ResourceChange[]): readonly Step[] {
  return changes.length === 0 ? [] : [{ kind: 'change', resource, changes }]
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

/** Made and corrected before the files in them; purged after them, when everything new is in place. */
function directories(changes: readonly ResourceChange[], counts: (name: string) => boolean): readonly ResourceChange[] {
  return deepestFirst(changes)
    .toReversed()
    .flatMap((directory) => {
      const differences = directory.differences.filter(({ name }) => counts(name))
      return differences.length === 0 ? [] : [{ ...directory, differences }]
    })
}

/** In the order they are removed; they are made the other way round. */
function deepestFirst(changes: readonly ResourceChange[]): readonly ResourceChange[] {
  return changes.toSorted((one, other) => (one.id < other.id ? 1 : -1))
}

/** sysusers.d: users have to be there before files that are theirs. */
function isForUsers({ id }: ResourceChange): boolean {
  return toolSteps({ written: [pathOf(id)], removed: [] }).some(({ when }) => when === 'before-files')
}

function changedPaths(changes: readonly ResourceChange[]): ChangedPaths {
  const paths = changes.filter(({ id }) => pathInId(id) !== undefined && !id.startsWith('directory:'))
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

function parentsOf(path: string): readonly string[] {
  const parents: string[] = []
  for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) parents.push(path.slice(0, end))
  return parents
}

/** Each action once, however many files ask for it; a restart makes a reload of the same unit needless. */
function lastSteps({ triggers, checks }: DesiredService, changes: readonly ResourceChange[]): readonly Step[] {
  const changed = new Set(changes.map(({ id }) => id))
  const fired = triggers.filter(({ on }) => on.some((id) => changed.has(id))).map(({ action }) => action)
  const unique = [...new Map(fired.map((action) => [keyOf(action), action])).values()]
  const needed = unique.filter(
    (action) =>
      action.kind !== 'reload' || !unique.some((other) => other.kind === 'restart' && other.unit === action.unit),
  )
  return [
    ...needed.map((action): Step => ({ kind: 'trigger', action })),
    ...checks.map((check): Step => ({ kind: 'check', check })),
  ]
}

function keyOf(action: TriggerAction): string {
  return action.kind === 'run' ? `run ${action.command}` : `${action.kind} ${action.unit}`
}

function split<T>(all: readonly T[], isFirst: (one: T) => boolean): readonly [readonly T[], readonly T[]] {
  return [all.filter(isFirst), all.filter((one) => !isFirst(one))]
}
