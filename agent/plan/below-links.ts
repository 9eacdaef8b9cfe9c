// Where a directory takes the place of a link, what is desired below it was seen through that link, and is not there once it is gone. Pure.

import { parentsOf } from '../../shared/places.ts'
import { missing, pathInId } from '../resources/paths.ts'
import { withCodes } from '../resources/registry.ts'
import type { ComparedResource } from './compare.ts'

/** The chosen, with all that is to be made again below them. */
export function withBelowLinks(
  chosen: readonly ComparedResource[],
  resources: readonly ComparedResource[],
): readonly ComparedResource[] {
  const links = new Set(chosen.filter(isOverLink).map(({ id }) => pathInId(id)))
  if (links.size === 0) return chosen
  const isBelow = ({ id, desired }: ComparedResource) =>
    desired !== undefined && parentsOf(pathInId(id) ?? '').some((parent) => links.has(parent))
  return [...chosen.filter((one) => !isBelow(one)), ...resources.filter(isBelow).map(asMissing)]
}

function isOverLink({ desired, live }: ComparedResource): boolean {
  return desired?.kind === 'directory' && live.attributes['type'] === 'symlink'
}

function asMissing(resource: ComparedResource): ComparedResource {
  const drift = [{ name: 'type', expected: resource.desired?.kind ?? 'file', live: 'missing' }]
  return { ...resource, live: missing, ...withCodes(resource, { drift, pending: [] }, missing) }
}
