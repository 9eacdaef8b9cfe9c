// What a change means for the services after it that read the file: their compose projects have a say, their units are restarted
// once. Pure.
import type { ServiceName } from '../../shared/names.ts'
import { type ComposeResource, type DesiredService, isOfKind } from '../../shared/resource.ts'
import type { ResourceChange } from '../resources/kind.ts'
import { pathOf } from '../resources/paths.ts'
import { type ComparedResource, pendingOf, type ServiceComparison } from './compare.ts'
import type { HoldOf } from './waits.ts'

/** A container holds on to a file that is replaced, also when only drift is put right: its project has a say then. */
export function projectsTouched(
  resources: readonly ComparedResource[],
  chosen: readonly ComparedResource[],
  replaced: ReadonlySet<string>,
): readonly ComparedResource[] {
  const isOwnReplaced = replacedPaths(chosen).length > 0
  return resources.filter(
    ({ desired }) =>
      desired?.kind === 'compose' &&
      desired.state === 'running' &&
      !chosen.some(({ id }) => id === desired.id) &&
      (isOwnReplaced || readsOne(desired, replaced)),
  )
}

/** The project of another service, which reads one of them. */
export function readsOne({ files }: ComposeResource, replaced: ReadonlySet<string>): boolean {
  return replaced.size > 0 && files.some(({ path }) => replaced.has(path))
}

/** Paths at which there is another file or link afterwards. */
export function replacedPaths(changes: readonly Pick<ResourceChange, 'id' | 'differences'>[]): readonly string[] {
  const isReplaced = ({ id, differences }: Pick<ResourceChange, 'id' | 'differences'>) =>
    isOfKind(id, 'file', 'symlink') && differences.some(({ name }) => ['content', 'type', 'target'].includes(name))
  return changes.filter(isReplaced).map(({ id }) => pathOf(id))
}

/** Without restarts of units that a service after this one restarts too: with its own change, which belongs to that of the file. */
export function withoutRepeats(desired: DesiredService, restartedLater: ReadonlySet<string>): DesiredService {
  if (restartedLater.size === 0) return desired
  const triggers = desired.triggers.filter(
    ({ action, isOfReader }) => isOfReader !== true || action.kind === 'run' || !restartedLater.has(action.unit),
  )
  return { ...desired, triggers }
}

/** By service, the units that those after it restart because of a commit. */
export function restartedAfter(
  services: readonly ServiceComparison[],
  holdOf: HoldOf,
): ReadonlyMap<ServiceName, ReadonlySet<string>> {
  const after = new Map<ServiceName, ReadonlySet<string>>()
  let later: ReadonlySet<string> = new Set()
  for (const service of services.toReversed()) {
    after.set(service.service, later)
    const isApplied = service.problems.length === 0 && holdOf(service.service) === undefined
    const restarts = isApplied ? restartsIn(service) : []
    if (restarts.length > 0) later = new Set([...later, ...restarts])
  }
  return after
}

function restartsIn(service: ServiceComparison): readonly string[] {
  const pending = new Set(pendingOf(service).map(({ id }) => id))
  if (pending.size === 0) return []
  const fired = (service.desired?.triggers ?? []).filter(({ on }) => on.some((id) => pending.has(id)))
  return fired.flatMap(({ action, isOfReader }) => (action.kind === 'restart' && !isOfReader ? action.unit : []))
}
