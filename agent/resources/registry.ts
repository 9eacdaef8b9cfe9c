// Every kind of resource, by name. A new kind is a new file and a line here.
import { parseResourceId } from '../../shared/names.ts'
import type { Resource, ResourceKindName } from '../../shared/resource.ts'
import { allDifferences } from './compare.ts'
import { composeKind } from './compose.ts'
import { directoryKind } from './directory.ts'
import { fileKind } from './file.ts'
import type { AttributeDifference, CodedDifference, Comparison, LiveResource, ResourceKind, Subject } from './kind.ts'
import { packageKind } from './package.ts'
import { symlinkKind } from './symlink.ts'
import { unitKind } from './unit.ts'

export const kinds: Readonly<Record<ResourceKindName, ResourceKind<Resource>>> = {
  file: fileKind,
  symlink: symlinkKind,
  directory: directoryKind,
  package: packageKind,
  unit: unitKind,
  compose: composeKind,
}

/** Also of a kind of a newer agent, of which nothing is. What is in /run is gone with the next boot. */
export function isAdoptable(id: string, difference: Pick<AttributeDifference, 'name' | 'live'>): boolean {
  const { kind, name } = parseResourceId(id)
  if (difference.name === 'override') return !name.startsWith('/run/')
  return isKindName(kind) && kinds[kind].isAdoptable(difference)
}

/** In the order of the registry. */
export function kindNamesOf(order: ResourceKind<Resource>['order']): readonly ResourceKindName[] {
  return Object.values(kinds)
    .filter((kind) => kind.order === order)
    .map(({ kind }) => kind)
}

export type Compared = {
  readonly comparison: Comparison<CodedDifference>
  /** Pending and drift together. */
  readonly differences: readonly CodedDifference[]
}

/** The verdict of the resource's kind, with its codes. */
export function compareSubject(subject: Subject, live: LiveResource): Compared {
  return withCodes(subject, kinds[kindNameOf(subject.id)].compare(subject, live), live)
}

/** Most resources are at rest: nothing is made for them. */
export function withCodes({ id }: Pick<Subject, 'id'>, comparison: Comparison, live: LiveResource): Compared {
  const { codes } = kinds[kindNameOf(id)]
  if (comparison.drift.length + comparison.pending.length === 0) return atRest
  const coded = (one: AttributeDifference): CodedDifference => ({ ...one, codes: codes(one, live) })
  return {
    comparison: { drift: comparison.drift.map(coded), pending: comparison.pending.map(coded) },
    differences: allDifferences(comparison).map(coded),
  }
}

const atRest: Compared = { comparison: { drift: [], pending: [] }, differences: [] }

/** `unit:nginx.service` -> `unit`. */
export function kindNameOf(id: Resource['id']): ResourceKindName {
  const { kind } = parseResourceId(id)
  if (isKindName(kind)) return kind
  throw new Error(`${id} is of no known kind`)
}

export function isKindName(name: unknown): name is ResourceKindName {
  return typeof name === 'string' && Object.hasOwn(kinds, name)
}
