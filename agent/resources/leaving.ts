// Who removes what leaves, and records of it on: directories go with the last thing in them, whichever service has that. Pure.
import type { AbsolutePath, ServiceName } from '../../shared/names.ts'
import { parentsOf } from '../../shared/places.ts'
import { type DesiredService, isOfKind } from '../../shared/resource.ts'
import type { ServiceBaseline } from '../state/baseline.ts'
import type { Subject } from './kind.ts'
import type { Before, Taken } from './original.ts'
import { pathInId } from './paths.ts'
import { type HandedOver, madeSubject, releasedSubject, type TakenPath } from './released.ts'

export type Own = {
  readonly service: ServiceName
  readonly desired: DesiredService | undefined
  readonly baseline: ServiceBaseline | undefined
  readonly subjects: readonly Subject[]
}

export type Seen = {
  /** What is known already of what was there before, and to be recorded on. */
  readonly before: Before
  readonly handedOver: readonly HandedOver[]
}

/** A directory that leaves, and what no resource stands for, is seen to by the last service that still removes something below it. */
export function withReleased<O extends Own>(
  all: readonly O[],
  taken: ReadonlyMap<string, TakenPath>,
): readonly (O & Seen)[] {
  const order = orderOf(all)
  const deepestFirst = [...taken.values()].toSorted((one, other) => other.path.length - one.path.length)
  const released = deepestFirst.flatMap((path) => releasedBy(path, all, order))
  const moved = all.flatMap(({ service, subjects }) => subjects.flatMap((subject) => movedBy(subject, service, order)))
  return all.map((own) => {
    const leaves = new Set(moved.filter(({ from }) => from === own.service).map(({ subject }) => subject))
    const comes = [...moved, ...released].filter(({ by }) => by === own.service).flatMap(({ subject }) => subject ?? [])
    const subjects = [...own.subjects.filter((subject) => !leaves.has(subject)), ...comes]
    return { ...own, subjects, ...recordedBy(own.service, { taken, released, moved }) }
  })
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
      ? subjectFor(
          known,
          all.find((one) => one.service === owner),
        )
      : madeSubject(path)
  if (subject === undefined) return [{ path, by: owner, subject }]
  const position = Math.max(order.services.indexOf(holder ?? owner), order.lastBelow.get(path) ?? 0)
  countBelow(path, position, order.lastBelow)
  return [{ path, by: order.services[position] ?? owner, subject }]
}

function subjectFor(known: TakenPath, owner: Own | undefined): Subject | undefined {
  const onRemove = owner?.desired?.onRemove ?? owner?.baseline?.onRemove ?? 'delete'
  return onRemove === 'keep' ? undefined : releasedSubject(known, onRemove)
}

type Moved = { readonly from: ServiceName; readonly by: ServiceName; readonly subject: Subject }

function movedBy(subject: Subject, from: ServiceName, { services, lastBelow }: Order): readonly Moved[] {
  const { id, desired } = subject
  if (desired !== undefined || !isOfKind(id, 'directory')) return []
  const position = lastBelow.get(pathInId(id) ?? '') ?? 0
  const by = services[position]
  return by === undefined || position <= services.indexOf(from) ? [] : [{ from, by, subject }]
}

type Recording = {
  readonly taken: ReadonlyMap<string, TakenPath>
  readonly released: readonly Released[]
  readonly moved: readonly Moved[]
}

function recordedBy(service: ServiceName, { taken, released, moved }: Recording): Seen {
  const by = new Map<string, ServiceName>(released.map((one) => [one.path, one.by]))
  for (const one of moved) by.set(pathInId(one.subject.id) ?? '', one.by)
  const before = new Map<AbsolutePath, Taken>()
  const handedOver: HandedOver[] = []
  for (const { path, taken: known, owners, holder, isBlocked } of taken.values()) {
    const next = holder ?? by.get(path)
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
