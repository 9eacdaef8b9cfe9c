// Which of many paths are as they were at the last look, by one lstat for each and nothing else: at rest that is all of a check.
import { lstatSync } from 'node:fs'
import type { AbsolutePath } from '../../shared/names.ts'
import type { StatCache } from './files.ts'
import { errnoOf } from './files-errors.ts'
import { parentOf } from './files-walk.ts'
import { turns } from './turns.ts'

/**
 * As git's 'racily clean' entries: a file changed again within the clock tick in which it was looked at has the same stat.
 * 2 s is the coarsest tick of a file system (vfat).
 */
const settledMs = 2000

/** By now its stat tells one content from any other. */
export function isSettled(changedMs: number, nowMs = Date.now()): boolean {
  return nowMs - changedMs >= settledMs
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

export function statCache(root: string, paths: readonly AbsolutePath[]): StatCache {
  const rows = new Float64Array(paths.length * width).fill(Number.NaN)
  const forget = (from: number, to: number) => void rows.fill(Number.NaN, from * width, to * width)
  const directories = directoriesOf(paths)
  let isEmpty = true
  return {
    refresh: async () => {
      if (isEmpty) {
        // Whoever looks at all of them carefully needs no second look at each.
        isEmpty = false
        return [...paths.keys()]
      }
      const rest = turns()
      const real = new Set(['/'])
      const moved: number[] = []
      for (const { directory, above, positions } of directories) {
        await rest()
        if (real.has(above) && isDirectory(onMachine(root, directory))) real.add(directory)
        for (const position of positions) {
          const stat = real.has(directory) ? keptAt(onMachine(root, paths[position] ?? '')) : undefined
          if (stat === undefined) forget(position, position + 1)
          if (stat === undefined || !isAsBefore(rows, position * width, stat)) moved.push(position)
        }
      }
      return moved.toSorted((one, other) => one - other)
    },
    forget: (position) => forget(position, position + 1),
    forgetAll: () => {
      forget(0, paths.length)
      isEmpty = true
    },
  }
}

function onMachine(root: string, path: string): string {
  return root === '/' ? path : `${root}${path}`
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
  rows.set([isSettled(ctimeMs) ? ctimeMs : Number.NaN, mtimeMs, size, ino, dev], at)
  return false
}

/** Undefined: that cannot be told; whoever looks at it carefully is told why. */
function keptAt(path: string): Kept | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) ?? missing
  } catch (error) {
    if (errnoOf(error) === undefined) throw error
    return undefined
  }
}

/** A link may lead anywhere: what is below one is looked at the careful way (files-walk.ts). */
function isDirectory(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true
  } catch (error) {
    if (errnoOf(error) === undefined) throw error
    return false
  }
}

/** `positions`: of the paths that are in it. */
type Directory = { readonly directory: string; readonly above: string; readonly positions: number[] }

/** Parents first, also those that no path is in. */
function directoriesOf(paths: readonly AbsolutePath[]): readonly Directory[] {
  const all = new Map<string, Directory>()
  const at = (directory: string): Directory => {
    const known = all.get(directory)
    if (known !== undefined) return known
    const above = directory === '/' ? '/' : at(parentOf(directory)).directory
    const added = { directory, above, positions: [] }
    all.set(directory, added)
    return added
  }
  for (const [position, path] of paths.entries()) at(parentOf(path)).positions.push(position)
  return [...all.values()]
}
