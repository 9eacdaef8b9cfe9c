// What leaves a service: which service removes it, what of it is archived, and what is to be known of it afterwards.
// A directory goes with the last thing in it, whichever service has that. Pure, with plain arguments.
import { compact } from '../../../shared/compact.ts'
import { type AbsolutePath, type ResourceId, resourceId, type ServiceName } from '../../../shared/names.ts'
import { parentsOf } from '../../../shared/places.ts'
import { type DesiredService, isOfKind } from '../../../shared/resource.ts'
import type { Archived } from '../../state/archive.ts'
import type { ServiceBaseline } from '../../state/baseline.ts'
import { isStaying } from '../directory.ts'
import type { ResourceChange, Subject } from '../kind.ts'
import { pathInId, pathOf } from '../paths.ts'
import { type Before, contentOf, contentToKeep, isReturning, type Taken, type TakenPath } from './originals.ts'

export type Own = {
  readonly service: ServiceName
  readonly desired: DesiredService | undefined
  readonly baseline: ServiceBaseline | undefined
  readonly subjects: readonly Subject[]
}

/** To be recorded on after success until another service, which takes it or sees to it, has been applied. */
export type HandedOver =
  | { readonly kind: 'path'; readonly path: AbsolutePath; readonly until: ServiceName }
  | { readonly kind: 'resource'; readonly id: ResourceId; readonly until: ServiceName }

export type Recorded = {
  /** What is known already of what was there before, and to be recorded on. */
  readonly before: Before
  readonly handedOver: readonly HandedOver[]
}

/** A directory that leaves, and what no resource stands for, is seen to by the last service that still removes something below it. */
export function withRemovals<O extends Own>(
  all: readonly O[],
  taken: ReadonlyMap<string, TakenPath>,
): readonly (O & Recorded)[] {
  const order = orderOf(all)
  const deepestFirst = [...taken.values()].toSorted((one, other) => other.path.length - one.path.length)
  const released = deepestFirst.flatMap((path) => releasedBy(path, all, order))
  const moved = all.flatMap(({ service, subjects }) => subjects.flatMap((subject) => movedBy(subject, service, order)))
  const removers = removersOf(released, moved)
  return all.map((own) => {
    const leaves = new Set(moved.filter(({ from }) => from === own.service).map(({ subject }) => subject))
    const comes = [...moved, ...released].filter(({ by }) => by === own.service).flatMap(({ subject }) => subject ?? [])
    const subjects = [...own.subjects.filter((subject) => !leaves.has(subject)), ...comes]
    return { ...own, subjects, ...recordedBy(own.service, [...taken.values()], removers) }
  })
}

/**
 * The baseline without what the services in `applied` now have, or have seen to. Undefined: nothing is left to be known of a service that
 * has left.
 */
export function withoutHandedOver(
  baseline: ServiceBaseline,
  { handedOver, isLeaving }: { readonly handedOver: readonly HandedOver[]; readonly isLeaving: boolean },
  applied: ReadonlySet<ServiceName>,
): ServiceBaseline | undefined {
  const gone = handedOver.filter(({ until }) => applied.has(until))
  const ids = new Set<string>(gone.flatMap((one) => (one.kind === 'resource' ? [one.id] : [])))
  const paths = new Set<string>(gone.flatMap((one) => (one.kind === 'path' ? [one.path] : [])))
  const { before: known, ...rest } = baseline
  const resources = new Map([...baseline.resources].filter(([id]) => !ids.has(id)))
  const before = new Map([...(known ?? [])].filter(([path]) => !paths.has(path)))
  if (isLeaving && resources.size === 0 && before.size === 0) return undefined
  return { ...rest, resources, ...(before.size === 0 ? {} : { before }) }
}

/** A released path without a resource: a directory that the agent made, or what had to give way to something else. */
export function releasedSubject(path: AbsolutePath, { was, made }: Taken, onRemove: OnRemove): Subject | undefined {
  if (onRemove === 'keep') return undefined
  const returns = onRemove === 'restore' && was.type !== 'missing'
  if (made === true) return { ...madeSubject(path), ...(returns ? { original: was } : {}) }
  const kind = was.type
  if (!returns || (kind !== 'file' && kind !== 'symlink' && kind !== 'directory')) return undefined
  return { id: resourceId(kind, path), desired: undefined, baseline: undefined, original: was }
}

type OnRemove = ServiceBaseline['onRemove']

/** A directory that the agent made, and that is to go. */
function madeSubject(path: AbsolutePath): Subject {
  return { id: resourceId('directory', path), desired: undefined, baseline: { attributes: { type: 'directory' } } }
}

/** What an apply takes the place of, or removes. */
export type DisplacedPath = {
  readonly path: AbsolutePath
  readonly why: Archived['why']
  /** Hashes and link targets that the repository has, or had when they were applied. */
  readonly known: ReadonlySet<string>
  /** To be in the object store although it is known. */
  readonly wanted: string | undefined
  /** The hash that was seen when the apply was planned. */
  readonly seen?: string
}

/** `applied`: the service as it was before; `before`: what is known already of what was there before its first apply. */
export function replacedBy(
  changes: readonly ResourceChange[],
  applied: ServiceBaseline | undefined,
  before: Before | undefined,
): readonly DisplacedPath[] {
  const replaced = new Map<string, DisplacedPath>()
  for (const change of changes) {
    if (pathInId(change.id) === undefined) continue
    const path = pathOf(change.id)
    const earlier = replaced.get(path)
    const seen = change.live.attributes['content']
    replaced.set(path, {
      path,
      why: change.desired === undefined && !isReturning(change) ? (earlier?.why ?? 'removed') : 'overwritten',
      known: new Set([...(earlier?.known ?? []), ...knownContents(change, path, applied)]),
      wanted: contentToKeep(before?.get(path)?.was),
      ...compact({ seen }),
    })
  }
  return [...replaced.values()]
}

/** What the repository has, or had when it was applied; and what was there before, which is put back or was kept already. */
function knownContents(
  { desired, baseline, original }: ResourceChange,
  path: AbsolutePath,
  applied: ServiceBaseline | undefined,
): readonly string[] {
  const there = ['file', 'symlink'].map((kind) => applied?.resources.get(resourceId(kind, path)))
  const attributes = [baseline, ...there].flatMap((resource) => (resource === undefined ? [] : [resource.attributes]))
  return [
    ...attributes.flatMap(({ content, target }) => [content, target]),
    desired?.kind === 'file' ? desired.sha256 : undefined,
    desired?.kind === 'symlink' ? desired.target : undefined,
    contentOf(original),
  ].filter((known) => known !== undefined)
}

/** Directories that something is taken out of, because the repository does not have it. */
export function purgedBy(changes: readonly ResourceChange[]): readonly AbsolutePath[] {
  return [...new Set(changes.filter(isPurge).map(({ id }) => pathOf(id)))]
}

/** Those that no apply has purged before. */
export function firstPurgedBy(changes: readonly ResourceChange[]): readonly AbsolutePath[] {
  return purgedBy(changes.filter(({ baseline }) => baseline?.attributes['extra'] === undefined))
}

function isPurge({ desired, differences }: ResourceChange): boolean {
  return desired?.kind === 'directory' && differences.some(({ name }) => name === 'extra')
}

/** Directories that are to be gone afterwards. */
export function removedDirectories(changes: readonly ResourceChange[]): readonly AbsolutePath[] {
  return changes
    .filter((one) => isOfKind(one.id, 'directory') && one.desired === undefined && !isStaying(one) && !isReturning(one))
    .map(({ id }) => pathOf(id))
}

type Order = {
  readonly services: readonly ServiceName[]
  readonly leavingAt: ReadonlyMap<string, ServiceName>
  /** Position of the last service that removes something below a path. */
  readonly lastBelow: Map<string, number>
}

function orderOf(all: readonly Own[]): Order {
  const leavingAt = new Map<string, ServiceName>()
  const lastBelow = new Map<string, number>()
  for (const [position, { service, subjects }] of all.entries())
    for (const { id, desired } of subjects) {
      const path = desired === undefined ? pathInId(id) : undefined
      if (path === undefined) continue
      leavingAt.set(path, service)
      countBelow(path, position, lastBelow)
    }
  return { services: all.map(({ service }) => service), leavingAt, lastBelow }
}

function countBelow(path: string, position: number, lastBelow: Map<string, number>): void {
  for (const parent of parentsOf(path)) lastBelow.set(parent, Math.max(lastBelow.get(parent) ?? 0, position))
}

type Released = { readonly path: AbsolutePath; readonly by: ServiceName; readonly subject: Subject | undefined }

function releasedBy(known: TakenPath, all: readonly Own[], order: Order): readonly Released[] {
  const { path, taken, holder, isBlocked } = known
  const [owner] = known.owners
  if (owner === undefined || (holder !== undefined && !(isBlocked && taken.made === true))) return []
  const resourceOf = order.leavingAt.get(path)
  if (resourceOf !== undefined) return [{ path, by: resourceOf, subject: undefined }]
  const subject =
    holder === undefined
      ? releasedSubject(path, taken, onRemoveOf(all.find((one) => one.service === owner)))
      : madeSubject(path)
  if (subject === undefined) return [{ path, by: owner, subject }]
  const position = Math.max(order.services.indexOf(holder ?? owner), order.lastBelow.get(path) ?? 0)
  countBelow(path, position, order.lastBelow)
  return [{ path, by: order.services[position] ?? owner, subject }]
}

function onRemoveOf(owner: Own | undefined): OnRemove {
  return owner?.desired?.onRemove ?? owner?.baseline?.onRemove ?? 'delete'
}

type Moved = { readonly from: ServiceName; readonly by: ServiceName; readonly subject: Subject }

function movedBy(subject: Subject, from: ServiceName, { services, lastBelow }: Order): readonly Moved[] {
  const { id, desired } = subject
  if (desired !== undefined || !isOfKind(id, 'directory')) return []
  const position = lastBelow.get(pathInId(id) ?? '') ?? 0
  const by = services[position]
  return by === undefined || position <= services.indexOf(from) ? [] : [{ from, by, subject }]
}

/** By path, the service that removes it. */
function removersOf(released: readonly Released[], moved: readonly Moved[]): ReadonlyMap<string, ServiceName> {
  const removers = new Map<string, ServiceName>(released.map(({ path, by }) => [path, by]))
  for (const { subject, by } of moved) removers.set(pathInId(subject.id) ?? '', by)
  return removers
}

function recordedBy(
  service: ServiceName,
  taken: readonly TakenPath[],
  removers: ReadonlyMap<string, ServiceName>,
): Recorded {
  const before = new Map<AbsolutePath, Taken>()
  const handedOver: HandedOver[] = []
  for (const { path, taken: known, owners, holder, isBlocked } of taken) {
    const next = holder ?? removers.get(path)
    if (holder === service) {
      if (!isBlocked) before.set(path, known)
      else if (known.was.type !== 'missing') before.set(path, { was: known.was })
    }
    if (
      holder !== service &&
      owners.includes(service) &&
      next !== undefined &&
      next !== service &&
      !owners.includes(next)
    ) {
      before.set(path, known)
      handedOver.push({ kind: 'path', path, until: next })
    }
  }
  return { before, handedOver }
}
