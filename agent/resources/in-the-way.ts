// What leaves and is in the way of an earlier service is removed by that one: a link, before anything is written below its name (it would
// be written to where the link leads); and what is in a directory of which a link or a file takes the place. Pure.
import type { ResourceId, ServiceName } from '../../shared/names.ts'
import { parentsOf } from '../../shared/places.ts'
import { isOfKind } from '../../shared/resource.ts'
import type { Subject } from './kind.ts'
import { pathInId } from './paths.ts'
import type { HandedOver, Own } from './removal/leaving.ts'

export type Cleared = {
  /** What an earlier service removes of this one's: recorded on until that one has been applied. */
  readonly cleared: readonly (HandedOver & { readonly kind: 'resource' })[]
}

export function clearedFirst<O extends Own>(all: readonly O[]): readonly (O & Cleared)[] {
  const isLeaving = ({ id, desired }: Subject) => desired === undefined && pathInId(id) !== undefined
  if (!all.some(({ subjects }) => subjects.some(isLeaving))) return all.map((own) => ({ ...own, cleared: [] }))
  const wanted = all.map(({ subjects }) => placesOf(subjects))
  const moved = all.flatMap(({ service, subjects }, position) =>
    subjects.flatMap((subject) => {
      const by = wanted.slice(0, position).findIndex((places) => isInTheWay(subject, places))
      const first = all[by]
      return first === undefined ? [] : [{ from: service, by: first.service, subject }]
    }),
  )
  return all.map((own) => withMoved(own, moved))
}

type Moved = { readonly from: ServiceName; readonly by: ServiceName; readonly subject: Subject }

/** Of desired paths: all that is above them, and those that have nothing below them. */
type Places = { readonly above: ReadonlySet<string>; readonly closed: ReadonlySet<string> }

function placesOf(subjects: readonly Subject[]): Places {
  const paths = subjects.flatMap(({ id, desired }) => (desired === undefined ? [] : [{ path: pathInId(id), desired }]))
  return {
    above: new Set(paths.flatMap(({ path }) => parentsOf(path ?? '/'))),
    closed: new Set(
      paths.flatMap(({ path, desired }) => (path === undefined || desired.kind === 'directory' ? [] : path)),
    ),
  }
}

function isInTheWay({ id, desired }: Subject, { above, closed }: Places): boolean {
  const path = pathInId(id)
  if (desired !== undefined || path === undefined) return false
  return (isOfKind(id, 'symlink') && above.has(path)) || parentsOf(path).some((parent) => closed.has(parent))
}

function withMoved<O extends Own>(own: O, moved: readonly Moved[]): O & Cleared {
  const leaves = moved.filter(({ from }) => from === own.service)
  const comes = moved.filter(({ by }) => by === own.service).map(({ subject }) => subject)
  const ids = new Set<ResourceId>(leaves.map(({ subject }) => subject.id))
  const stays = ids.size === 0 ? own.subjects : own.subjects.filter(({ id }) => !ids.has(id))
  return {
    ...own,
    subjects: comes.length === 0 ? stays : [...stays, ...comes],
    cleared: leaves.map(({ subject, by }) => ({ kind: 'resource', id: subject.id, until: by })),
  }
}
