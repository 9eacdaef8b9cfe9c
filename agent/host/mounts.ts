// What is mounted below a root, and which places have a second path through a bind mount, or through a file system
// mounted twice.
import { readFileSync } from 'node:fs'
import type { MountedPlaces } from '../../shared/places.ts'
import { join, parentOf } from './files-walk.ts'
import { type Mount, mountsOf } from './mountinfo.ts'

export type Mounts = {
  /** Mount points below the root, as paths below it. */
  readonly points: ReadonlySet<string>
  readonly places: MountedPlaces
}

/**
 * `root` is a real path. The kernel is asked once per turn of the event loop; what it says is worked through when it is
 * new.
 */
export function mountsBelow(root: string): () => Mounts {
  let text: string | undefined
  let parsed: { readonly text: string; readonly mounts: Mounts } | undefined
  return () => {
    if (text === undefined) {
      text = readFileSync('/proc/self/mountinfo', 'utf8')
      setImmediate(() => {
        text = undefined
      })
    }
    if (parsed?.text !== text) parsed = { text, mounts: mountsIn(mountsOf(text), root) }
    return parsed.mounts
  }
}

/** Of the whole machine: the container engine mounts by its paths. */
export const mountsHere = mountsBelow('/')

/** Pure. */
export function mountsIn(mounts: readonly Mount[], root: string): Mounts {
  const points = mounts.map(({ point }) => point)
  const below = points.filter((point) => root === '/' || point.startsWith(`${root}/`))
  return { points: new Set(below.map((point) => withoutRoot(point, root))), places: placesIn(mounts, root) }
}

function placesIn(mounts: readonly Mount[], root: string): MountedPlaces {
  const tree = mountTree(mounts)
  const places = new Map<string, string>()
  if (tree === undefined) return places
  const turning = turningPoints(mounts, tree).filter((path) => isWithin(path, root))
  for (const path of turning.toSorted((one, other) => one.length - other.length)) {
    const name = withoutRoot(path, root)
    const place = withoutRoot(firstName(path, tree, root), root)
    if (place !== placeBy(places, name)) places.set(name, place)
  }
  return places
}

/** The nearest entry at or above the path, and the rest of the path below it. */
function placeBy(places: MountedPlaces, path: string): string {
  const place = places.get(path)
  if (place !== undefined || path === '/') return place ?? path
  return join(placeBy(places, parentOf(path)), path.slice(path.lastIndexOf('/') + 1))
}

type MountTree = {
  /** By device, those first whose names are preferred. */
  readonly ofDevice: ReadonlyMap<string, readonly Mount[]>
  /** The mount that a path without links is in. */
  over(path: string): Mount
}

/** Undefined when the root is not a mount point, as in a chroot: the mounts are unknown there. */
function mountTree(mounts: readonly Mount[]): MountTree | undefined {
  const ids = new Set(mounts.map(({ id }) => id))
  const children = new Map<string, Map<string, Mount>>()
  for (const mount of mounts)
    children.set(mount.parent, (children.get(mount.parent) ?? new Map<string, Mount>()).set(mount.point, mount))
  const whole = mounts.find(({ point, parent, id }) => point === '/' && (!ids.has(parent) || parent === id))
  if (whole === undefined) return undefined
  const known = new Map<string, Mount>()
  const over = (path: string): Mount => {
    const found = known.get(path)
    if (found !== undefined) return found
    let mount = path === '/' ? whole : over(parentOf(path))
    for (let next = children.get(mount.id)?.get(path); next !== undefined && next !== mount; ) {
      mount = next
      next = children.get(mount.id)?.get(path)
    }
    known.set(path, mount)
    return mount
  }
  const sorted = mounts
    .filter(({ root, point }) => !root.endsWith(deletedMark) || point === '/')
    .toSorted((one, other) => rank(one) - rank(other))
  return { ofDevice: Map.groupBy(sorted, ({ device }) => device), over }
}

/** What the kernel appends to a root that was removed: nothing has a name below it but through that mount. */
const deletedMark = '//deleted'

/** The names of `/` come first, then those by which most of the file system is reached. */
function rank({ point, root }: Mount): number {
  return point === '/' ? 0 : root.length
}

/** Where another name may begin to be preferred: mount points, and the same directories seen through other mounts. */
function turningPoints(mounts: readonly Mount[], { ofDevice, over }: MountTree): readonly string[] {
  const visible = mounts.filter((mount) => over(mount.point) === mount)
  const byId = new Map(mounts.map((mount) => [mount.id, mount]))
  const seenThrough = (device: string, path: string) =>
    (ofDevice.get(device) ?? []).flatMap(({ root, point }) =>
      isWithin(path, root) ? joined(point, restBelow(path, root)) : [],
    )
  return [
    ...new Set(
      visible.flatMap(({ point, device, root, parent }) => {
        const under = byId.get(parent)
        const covered =
          under === undefined ? [] : seenThrough(under.device, joined(under.root, restBelow(point, under.point)))
        return [point, ...covered, ...seenThrough(device, root)]
      }),
    ),
  ]
}

/** Of all names below the root that the place of a path has, the one that is preferred. */
function firstName(path: string, { ofDevice, over }: MountTree, root: string): string {
  const mount = over(path)
  if (mount.root.endsWith(deletedMark)) return path
  const inside = joined(mount.root, restBelow(path, mount.point))
  for (const other of ofDevice.get(mount.device) ?? []) {
    if (!isWithin(inside, other.root)) continue
    const name = joined(other.point, restBelow(inside, other.root))
    if (isWithin(name, root) && over(name) === other) return name
  }
  return path
}

/** Empty for the directory itself, else with a slash. */
function restBelow(path: string, directory: string): string {
  if (path === directory) return ''
  return directory === '/' ? path : path.slice(directory.length)
}

function joined(directory: string, rest: string): string {
  if (rest === '') return directory
  return directory === '/' ? rest : `${directory}${rest}`
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || directory === '/' || path.startsWith(`${directory}/`)
}

function withoutRoot(path: string, root: string): string {
  if (root === '/') return path
  return path === root ? '/' : path.slice(root.length)
}
