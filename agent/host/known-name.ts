// A path as a person typed it -> the name by which it is known: one place on a host may have several.
import { type AbsolutePath, absolutePathSchema } from '../../shared/names.ts'
import { above, placesBy } from '../../shared/places.ts'
import { usualPlaceOf } from '../../shared/repository/reserved.ts'
import type { FileReader } from './files.ts'

/** One of `known`, or a path below one, at the place of the path that was asked for; else that path as it is. */
export function knownName(asked: AbsolutePath, known: Iterable<string>, files: FileReader): AbsolutePath {
  const names = new Set(known)
  if (names.has(asked)) return asked
  const placeOf = placesBy(files.waysInto(new Set([...names, asked].map(above))))
  return [placeOf, usualPlaceOf].map((by) => nameAt(asked, names, by)).find((name) => name !== undefined) ?? asked
}

/** Whether a path is at the place of the one that was asked for. */
export function isSamePlace(asked: string, known: Iterable<string>, files: FileReader): (path: string) => boolean {
  const placeOf = placesBy(files.waysInto(new Set([...known, asked].map(above))))
  const place = placeOf(asked)
  return (path) => path === asked || (asked.startsWith('/') && placeOf(path) === place)
}

function nameAt(
  asked: string,
  names: ReadonlySet<string>,
  placeOf: (path: string) => string,
): AbsolutePath | undefined {
  const byPlace = new Map([...names].map((name) => [placeOf(name), name]))
  const place = placeOf(asked)
  for (let at = place; at !== '/'; at = above(at)) {
    const name = byPlace.get(at)
    if (name !== undefined) return absolutePathSchema.parse(`${name}${place.slice(at.length)}`)
  }
  return undefined
}
