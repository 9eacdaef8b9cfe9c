// Which of many paths are as they were at the last look, by one lstat for each and nothing else: at rest that is all of a check.
import { lstatSync } from 'node:fs'
import type { AbsolutePath } from '../../shared/names.ts'
import type { StatCache } from './files.ts'
import { errnoOf } from './files-errors.ts'
import { join, parentOf } from './files-walk.ts'
import { turns } from './turns.ts'

/**
 * As git's 'racily clean' entries: a file changed again within the clock tick in which it was looked at has the same stat.
 * 2 s is the coarsest tick of a file system (vfat).
 */
const settledMs = 2000

/** By now its stat tells one content from any other. */
export function isSettled({ ctimeMs }: { readonly ctimeMs: number }, nowMs = Date.now()): boolean {
  return nowMs - ctimeMs >= settledMs
}

/** Mode, owner and number of links are not kept: whoever changes them changes the ctime. */
type Kept = {
  readonly dev: number
  readonly ino: number
  readonly size: number
  readonly mtimeMs: number
  readonly ctimeMs: number
}

const width = 5
const missing: Kept = { dev: 0, ino: 0, size: -1, mtimeMs: 0, ctimeMs: 0 }
/** Between two questions whether the event loop is due. */
const pathsAtOnce = 100

export function statCache(root: string, paths: readonly AbsolutePath[]): StatCache {
  const rows = new Float64Array(paths.length * width)
  const forget = (from: number, to: number) => void rows.fill(Number.NaN, from * width, to * width)
  const places = paths.map((path) => ({ at: join(root, path.slice(1)), directory: parentOf(path) }))
  const directories = parentsFirst(places.map(({ directory }) => directory))
  forget(0, paths.length)
  return {
    refresh: async () => {
      const rest = turns()
      const real = realDirectories(root, directories)
      const moved: number[] = []
      let index = 0
      for (const { at, directory } of places) {
        if (index % pathsAtOnce === 0) await rest()
        const stat = real.has(directory) ? keptAt(at) : undefined
        if (stat === undefined) forget(index, index + 1)
        if (stat === undefined || !isAsBefore(rows, index * width, stat)) moved.push(index)
        index += 1
      }
      return moved
    },
    forget: (position) => forget(position, position + 1),
    forgetAll: () => forget(0, paths.length),
  }
}

/** NaN, for what is not known or may yet change within its tick, equals nothing. */
function isAsBefore(rows: Float64Array, at: number, stat: Kept): boolean {
  const { dev, ino, size, mtimeMs, ctimeMs } = stat
  if (
    rows[at] === ctimeMs &&
    rows[at + 1] === mtimeMs &&
    rows[at + 2] === size &&
    rows[at + 3] === ino &&
    rows[at + 4] === dev
  )
    return true
  rows.set([isSettled(stat) ? ctimeMs : Number.NaN, mtimeMs, size, ino, dev], at)
  return false
}

/** Undefined: it cannot be told; whoever looks at it carefully is told why. */
function keptAt(path: string): Kept | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) ?? missing
  } catch (error) {
    if (errnoOf(error) === undefined) throw error
    return undefined
  }
}

/** Those that are directories and no links, all the way up: what is below others is looked at the careful way (files-walk.ts). */
function realDirectories(root: string, parentsFirst: readonly string[]): ReadonlySet<string> {
  const real = new Set(['/'])
  for (const directory of parentsFirst)
    if (real.has(parentOf(directory)) && isDirectory(join(root, directory.slice(1)))) real.add(directory)
  return real
}

function isDirectory(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true
  } catch (error) {
    if (errnoOf(error) === undefined) throw error
    return false
  }
}

/** Without the root. */
function parentsFirst(directories: readonly string[]): readonly string[] {
  const all = new Set<string>()
  const add = (directory: string) => {
    if (directory === '/' || all.has(directory)) return
    add(parentOf(directory))
    all.add(directory)
  }
  for (const directory of directories) add(directory)
  return [...all]
}
