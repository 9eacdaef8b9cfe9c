// The place of a path on a host: its directory with links followed, and its name; of what is reached through several mounts, by the
// first of their names. Two names of one place are one thing. Pure.
import type { AbsolutePath } from './names.ts'

/** By the place of the link: its target as it stands. */
export type Links = ReadonlyMap<string, string>

/**
 * By path without links: the place that it has by another mount. What lies below it has its place below that one, up to the next entry;
 * what is below no entry is where its path says.
 */
export type MountedPlaces = ReadonlyMap<string, string>

/** What leads from one path to another. */
export type Ways = { readonly links: Links; readonly mounts: MountedPlaces }
export type PlaceOf = (path: string) => AbsolutePath

const linkLimit = 40

/** `gone`: places of links that are about to be removed, so that nothing is reached through them. */
export function placesBy({ links, mounts }: Ways, gone: ReadonlySet<string> = new Set()): PlaceOf {
  const mounted = placesByMounts(mounts)
  const known = new Map<string, string>()
  const directoryAt = (path: string, followed: number): string => {
    if (path === '/') return path
    const found = known.get(path) ?? child(directoryAt(above(path), followed), nameIn(path), followed)
    known.set(path, found)
    return found
  }
  const child = (directory: string, name: string, followed: number): string => {
    const place = join(directory, name)
    const target = gone.has(mounted(place)) || followed >= linkLimit ? undefined : links.get(place)
    if (target === undefined) return place
    let at = target.startsWith('/') ? '/' : directory
    for (const part of target.split('/').filter((one) => one !== '' && one !== '.'))
      at = part === '..' ? above(at) : directoryAt(join(at, part), followed + 1)
    return at
  }
  // A place of a normal path is one, however long.
  if (links.size === 0 && mounts.size === 0) return (path) => path as AbsolutePath
  return (path) => mounted(path === '/' ? path : join(directoryAt(above(path), 0), nameIn(path))) as AbsolutePath
}

/** Every path by which a place is reached through mounts, the place itself first. */
export function namesOfPlace(place: string, mounts: MountedPlaces): readonly string[] {
  if (mounts.size === 0) return [place]
  const mounted = placesByMounts(mounts)
  const first = mounted(place)
  const others = [...mounts].flatMap(([path, target]) => {
    if (!isWithin(first, target)) return []
    const name = target === first ? path : join(path, first.slice(target === '/' ? 1 : target.length + 1))
    return mounted(name) === first ? [name] : []
  })
  return [...new Set([place, first, ...others])]
}

/** Of paths without links. */
export function placesByMounts(mounts: MountedPlaces): (path: string) => string {
  if (mounts.size === 0) return (path) => path
  const known = new Map<string, string>()
  const directoryAt = (path: string): string => {
    const found = known.get(path) ?? placeAt(path)
    known.set(path, found)
    return found
  }
  const placeAt = (path: string): string =>
    mounts.get(path) ?? (path === '/' ? path : join(directoryAt(above(path)), nameIn(path)))
  return placeAt
}

/** `/` is above everything, itself included. */
export function above(path: string): string {
  const slash = path.lastIndexOf('/')
  return slash <= 0 ? '/' : path.slice(0, slash)
}

function nameIn(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

function join(directory: string, name: string): string {
  return directory === '/' ? `/${name}` : `${directory}/${name}`
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || directory === '/' || path.startsWith(`${directory}/`)
}

/** From the root down, the path itself not among them. */
export function parentsOf(path: string): readonly string[] {
  const parents: string[] = []
  for (let end = path.indexOf('/', 1); end > 0; end = path.indexOf('/', end + 1)) parents.push(path.slice(0, end))
  return parents
}
