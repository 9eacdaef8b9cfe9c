// Services of one apply run side by side, and one of them may be undone while another one goes on. What they share is kept apart
// here, so that each undo is as exact as if the services had come one after the other.
import { resourceId, type ServiceName } from '../../shared/names.ts'
import { parentsOf } from '../../shared/places.ts'
import type { ServicePlan } from '../plan/plan.ts'
import { changesIn } from '../resources/change-step.ts'
import { pathInId, savedPathSchema } from '../resources/paths.ts'
import { isReturning } from '../resources/removal/originals.ts'

/**
 * By service, the earlier ones that change what it changes too - a path, or one above or below it, or a unit that both start or tell
 * something: an undo of the earlier one would take the ground from under the later one, whose own undo would bring back what the
 * earlier one had made. Pure.
 */
export function overlaps(services: readonly ServicePlan[]): ReadonlyMap<ServiceName, ReadonlySet<ServiceName>> {
  const changed = services.flatMap((servicePlan) =>
    changedBy(servicePlan).map((what) => ({ what, service: servicePlan.service })),
  )
  const changers = Map.groupBy(changed, ({ what }) => what)
  const order = new Map(services.map(({ service }, index) => [service, index]))
  const found = new Map<ServiceName, Set<ServiceName>>()
  for (const { what, service } of changed)
    for (const { service: other } of [what, ...parentsOf(what)].flatMap((at) => changers.get(at) ?? [])) {
      if (other === service) continue
      const isLater = (order.get(service) ?? 0) > (order.get(other) ?? 0)
      const [later, earlier] = isLater ? [service, other] : [other, service]
      found.set(later, (found.get(later) ?? new Set()).add(earlier))
    }
  return found
}

/** Paths, and ids of everything else: no id begins with a slash. */
function changedBy(servicePlan: ServicePlan): readonly string[] {
  const units = servicePlan.steps.flatMap((step) =>
    step.kind === 'trigger' && step.action.kind !== 'run' ? [resourceId('unit', step.action.unit)] : [],
  )
  return [...new Set([...changesIn(servicePlan).map(({ id }) => pathInId(id) ?? id), ...units])]
}

/**
 * Records in `taken` which service took a path in this apply: as soon as its steps are taken, since another one may be committed before
 * this one has settled.
 */
export function takePaths(servicePlan: ServicePlan, taken: Map<string, ServiceName>): void {
  const { service, untaken } = servicePlan
  const paths = changesIn(servicePlan).flatMap(({ id }) => pathInId(id) ?? [])
  for (const path of [...paths, ...untaken]) if (!taken.has(path)) taken.set(path, service)
}

/** What leaves for good may have its name taken by a directory that something else needs. */
function placedPaths(servicePlan: ServicePlan): readonly string[] {
  return changesIn(servicePlan)
    .filter((change) => change.desired !== undefined || isReturning(change))
    .flatMap(({ id }) => pathInId(id) ?? [])
}

/** Directories that were not there before this apply, and that no service asks for by itself: they go with the last file in them. */
export class NewParents {
  readonly #directories = new Set<string>()
  readonly #wanted: ReadonlySet<string>

  constructor(services: readonly ServicePlan[]) {
    this.#wanted = new Set(services.flatMap(placedPaths))
  }

  /** The undo points of paths, as they would be had no other service of this apply made a directory above them. */
  asBefore(saved: readonly unknown[]): readonly unknown[] {
    return saved.map((point) => {
      const { path, missingParents } = savedPathSchema.parse(point)
      for (const parent of missingParents) if (!this.#wanted.has(parent)) this.#directories.add(parent)
      const made = parentsOf(path).filter((parent) => this.#directories.has(parent))
      const all = [...new Set([...missingParents, ...made])]
      return { ...(point as object), missingParents: all.toSorted((one, other) => one.length - other.length) }
    })
  }
}
