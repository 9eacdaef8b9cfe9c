// Which of many paths are as they were at the last look, by one lstat for each and nothing else: at rest that is all of
// a check. Decision: docs/decisions/2026-11-26-a-check-at-rest-is-lstat.md
import { lstatSync } from 'node:fs'
import { errnoOf } from '../../shared/errno.ts'
import type { AbsolutePath } from '../../shared/names.ts'
import type { StatCache } from './files.ts'
import { parentOf } from './files-walk.ts'
import { eventLoopYield } from './yield-loop.ts'

/**
 * As git's 'racily clean' entries: a file changed again within the clock tick in which it was looked at has the same stat.
 * 2 s is the coarsest tick of a file system (vfat).
 */
const settledMs = 2000

/** The change is old enough for its stat to identify the content. */
export function isSettled(changedMs: number, nowMs = Date.now()): boolean {
  return nowMs - changedMs >= settledMs
}

/** Mode, owner and number of links are not kept: changing them changes the ctime. */
const width = 5

export function statCache(root: string, paths: readonly AbsolutePath[]): StatCache {
  const rows = new Float64Array(paths.length * width).fill(unknown)
  const directories = directoriesOf(paths)
  let isEmpty = true
  return {
    refresh: async () => {
      if (isEmpty) return [...paths.keys()]
      const rest = eventLoopYield()
      const real = new Set(['/'])
      const moved: number[] = []
      for (const { directory, above, positions } of directories) {
        await rest()
        if (real.has(above) && isDirectory(onMachine(root, directory))) real.add(directory)
        for (const position of positions) {
          const at = position * width
          if (real.has(directory) && isAsNoted(rows, at, onMachine(root, paths[position] ?? ''))) continue
          rows.fill(unknown, at, at + width)
          moved.push(position)
        }
      }
      return moved.toSorted((one, other) => one - other)
    },
    note: (position, seen, startedAt) => {
      isEmpty = false
      const { changedMs, modifiedMs, size, inode, device } = seen === 'missing' ? missing : seen
      const isKnown = isSettled(changedMs, startedAt)
      rows.set([isKnown ? changedMs : unknown, modifiedMs, size, inode, device], position * width)
    },
    forgetAll: () => {
      rows.fill(unknown)
      isEmpty = true
    },
  }
}

/** Equals nothing. */
const unknown = Number.NaN
const missing = { changedMs: 0, modifiedMs: 0, size: -1, inode: 0, device: 0 }

function onMachine(root: string, path: string): string {
  return root === '/' ? path : `${root}${path}`
}

/** False also when the stat fails; the full inspection then reports the reason. */
function isAsNoted(rows: Float64Array, at: number, path: string): boolean {
  try {
    const stat = lstatSync(path, { throwIfNoEntry: false })
    if (stat === undefined) return rows[at] === missing.changedMs && rows[at + 2] === missing.size
    const { ctimeMs, mtimeMs, size, ino, dev } = stat
    return (
      rows[at] === ctimeMs &&
      rows[at + 1] === mtimeMs &&
      rows[at + 2] === size &&
      rows[at + 3] === ino &&
      rows[at + 4] === dev
    )
  } catch (error) {
    if (errnoOf(error) === undefined) throw error
    return false
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
