// Compose projects whose container engine does not answer, in an apply that starts the engine. Pure.
import { parseResourceId } from '../../shared/names.ts'
import { asDeclared } from '../resources/compose-state.ts'
import type { ResourceChange } from '../resources/kind.ts'
import { withCodes } from '../resources/registry.ts'
import { unitActions } from '../resources/unit-actions.ts'
import type { ComparedResource, ServiceComparison } from './compare.ts'
import { isUnit } from './forecast.ts'

/**
 * The projects can be seen only after the start, and `compose up` finds by itself what it has to do. Without this a service
 * with a stopped engine and a project would wait for itself.
 */
export function awaitedProjects(
  { unseen }: Pick<ServiceComparison, 'unseen'>,
  isRepaired: (project: ComparedResource) => boolean,
): readonly ComparedResource[] {
  return unseen.flatMap(({ subject, problem }): readonly ComparedResource[] => {
    if (subject.desired?.kind !== 'compose') return []
    const difference = { name: 'containers', expected: asDeclared, live: `not known yet: ${problem.message}` }
    const isPending = subject.baseline?.attributes['content'] !== subject.desired.sha256
    const comparison = { drift: isPending ? [] : [difference], pending: isPending ? [difference] : [] }
    const live = { attributes: {} }
    const project = { ...subject, live, ...withCodes(subject, comparison, live) }
    return isPending || isRepaired(project) ? [project] : []
  })
}

export function startsEngine(changes: readonly ResourceChange[]): boolean {
  return changes.some(
    (change) => isUnit(change) && isEngine(parseResourceId(change.id).name) && unitActions(change).includes('start'),
  )
}

function isEngine(unit: string): boolean {
  return /^(?:docker|podman)\.(?:service|socket)$/.test(unit)
}
