// What is below a directory that `plumb why` is asked about: the files of the repository, by the names that a server lists them by.
import { hostPlaces } from '../../shared/repository/host-places.ts'
import { usualPlaceOf } from '../../shared/repository/reserved.ts'

export type Placed = { readonly path: string; readonly source: string }

/** As many as a server lists. */
const pathsShown = 500

/** `directory`: of a host, or of the repository. `projects`: directories that services name for their compose projects. */
export function placesBelow(
  sources: readonly string[],
  directory: string,
  projects: ReadonlyMap<string, string>,
): readonly Placed[] {
  const isHostPath = directory.startsWith('/')
  const start = `${(isHostPath ? usualPlaceOf(directory) : directory).replace(/\/$/, '')}/`
  const placed = sources.flatMap((source): readonly Placed[] => {
    const places = hostPlaces(source, projects.get(source.split('/', 2).join('/')))
    if (!isHostPath) return source.startsWith(start) ? [{ path: nameOf(source, places), source }] : []
    const path = places.find((place) => usualPlaceOf(place).startsWith(start))
    return path === undefined ? [] : [{ path, source }]
  })
  return placed.slice(0, pathsShown)
}

/** The files of a compose project are known by their paths in the repository. */
function nameOf(source: string, [place]: readonly string[]): string {
  return place !== undefined && /^services\/[^/]+\/(?:files|units)\//.test(source) ? place : source
}
