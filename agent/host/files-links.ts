// The links on the way to paths, to recognize two names of one place. Read by lstat and readlink only.
import { lstatSync, readlinkSync, type Stats } from 'node:fs'
import { errnoOf } from '../../shared/errno.ts'
import { join, parentOf } from './files-walk.ts'

/** By the place of the link, which has no links in it: its target as it stands. */
export type Links = ReadonlyMap<string, string>

const linkLimit = 40

/**
 * The links that are met on the way into these directories, and on the way to where they lead. A link that
 * files-walk.ts would not follow, because an unprivileged user could have placed it, is not among them.
 */
export function linksInto(root: string, directories: Iterable<string>): Links {
  const looking: Looking = { root, links: new Map(), seen: new Map() }
  for (const directory of directories) reach(directory, looking, 0)
  return looking.links
}

type Looking = {
  readonly root: string
  readonly links: Map<string, string>
  /** By path: where it leads; undefined: it leads to no directory. */
  readonly seen: Map<string, string | undefined>
}

/** Where a directory is, links followed. */
function reach(path: string, looking: Looking, followed: number): string | undefined {
  if (path === '/') return path
  const { seen } = looking
  if (seen.has(path)) return seen.get(path)
  const parent = reach(parentOf(path), looking, followed)
  const real = parent === undefined ? undefined : step(join(parent, nameIn(path)), parent, { looking, followed })
  seen.set(path, real)
  return real
}

type Step = { readonly looking: Looking; readonly followed: number }

function step(place: string, parent: string, { looking, followed }: Step): string | undefined {
  const stat = statAt(looking.root, place)
  if (stat?.isDirectory() === true) return place
  if (stat?.isSymbolicLink() !== true || !isTrusted(stat, statAt(looking.root, parent)) || followed >= linkLimit)
    return undefined
  const target = targetAt(looking.root, place)
  if (target === undefined) return undefined
  looking.links.set(place, target)
  let at: string | undefined = target.startsWith('/') ? '/' : parent
  for (const part of target.split('/').filter((name) => name !== '' && name !== '.'))
    if (at !== undefined) at = part === '..' ? parentOf(at) : reach(join(at, part), looking, followed + 1)
  return at
}

/** The rule of files-walk.ts. */
function isTrusted(link: Stats, directory: Stats | undefined): boolean {
  const own = process.geteuid?.() ?? 0
  return (
    directory !== undefined &&
    [link, directory].every(({ uid }) => uid === 0 || uid === own) &&
    (directory.mode & 0o022) === 0
  )
}

function statAt(root: string, path: string): Stats | undefined {
  try {
    return lstatSync(onMachine(root, path), { throwIfNoEntry: false })
  } catch (error) {
    if (errnoOf(error) === undefined) throw error
    return undefined
  }
}

function targetAt(root: string, path: string): string | undefined {
  try {
    return readlinkSync(onMachine(root, path))
  } catch (error) {
    if (errnoOf(error) === undefined) throw error
    return undefined
  }
}

function onMachine(root: string, path: string): string {
  return root === '/' ? path : `${root}${path}`
}

function nameIn(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
