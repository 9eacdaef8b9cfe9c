// What the steps of a write share: temporary names, parents made on the way, permissions, the errors of a race.
import { createHash, randomBytes } from 'node:crypto'
import { fchownSync, fstatSync, lstatSync, readdirSync, unlinkSync } from 'node:fs'
import { errnoOf } from '../../shared/errno.ts'
import { fileError } from '../../shared/file-error.ts'
import { PlumbError } from '../../shared/problem.ts'
import { setMode } from './file-modes.ts'
import type { FileStat } from './files.ts'
import { type Entry, type OpenDirectory, parentOf, pathOf, placeAt, type Walk } from './files-walk.ts'
import { type Ground, refuseWrite } from './ground.ts'

export type Inode = Pick<FileStat, 'inode' | 'device'>

/** What one writer shares between its methods. */
export type Writing = {
  readonly walk: Walk
  readonly mark: string
  readonly ground: Ground
  /** Real paths of directories to sync. */
  readonly touched: Set<string>
  /** By path: what must be there after publishing. */
  readonly staged: Map<string, Inode>
}

export function newMark(): string {
  return `.plumb-${randomBytes(8).toString('hex')}`
}

/** What the marks of all parts of one writer begin with. */
export function wholeMark(mark: string): string {
  return mark.slice(0, '.plumb-0123456789abcdef'.length)
}

/** Where a new version waits, and where the former one is kept. */
export function stagedEntry(writing: Writing, entry: Entry): Entry {
  const tag = createHash('sha256').update(entry.name).digest('hex').slice(0, 16)
  return { directory: entry.directory, name: `${writing.mark}-${tag}` }
}

export function keptEntry(writing: Writing, entry: Entry): Entry {
  return { directory: entry.directory, name: `${stagedEntry(writing, entry).name}~` }
}

/** The directory inside a purged directory that holds what was taken out of it. */
export function holdingEntry(writing: Writing, directory: OpenDirectory): Entry {
  return { directory, name: `${writing.mark}-extra` }
}

export function touch(writing: Writing, directory: OpenDirectory): void {
  writing.touched.add(directory.path)
}

/** Looked for first: on a read-only file system unlink(2) says so also of what is not there. */
export function unlinkIfThere(entry: Entry): void {
  try {
    lstatSync(pathOf(entry))
    unlinkSync(pathOf(entry))
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
  }
}

export function parentMade(writing: Writing, path: string): Entry {
  const { walk } = writing
  refuseWrite(writing.ground, path, placeAt(walk, path))
  const made = walk.make(parentOf(path), (made) => writing.touched.add(made))
  if (made.kind !== 'directory')
    throw new PlumbError({
      code: 'apply-failed',
      message: `${made.path} is in the way: it is not a directory.`,
      where: { file: path },
      remedy: 'Move it away, then apply again.',
    })
  const found = walk.parent(path)
  if (found.kind !== 'entry') throw changedMeanwhile(path)
  return found
}

/** The kernel's own way: any chown of a file takes its capabilities away. */
export function clearCapabilities(fd: number): void {
  const { uid, gid, mode } = fstatSync(fd)
  fchownSync(fd, uid, gid)
  setMode(fd, mode & 0o7777)
}

const namesShown = 5

/** Named with what is in it: once that is gone, the next apply removes a directory that an apply made. */
export function directoryInTheWay({ mark }: Pick<Writing, 'mark'>, path: string, entry: Entry): PlumbError {
  const names = readdirSync(pathOf(entry))
    .filter((name) => !name.startsWith(wholeMark(mark)))
    .toSorted()
  const more = names.length > namesShown ? ` and ${names.length - namesShown} more` : ''
  const contents = names.length === 0 ? '' : `, with ${names.slice(0, namesShown).join(', ')}${more} in it`
  return new PlumbError({
    code: 'apply-failed',
    message: `a directory is in the way${contents}.`,
    where: { file: path },
    remedy:
      'Move it away, or what is in it, then apply again; what is not from the repository is not deleted with a directory.',
  })
}

export function changedMeanwhile(path: string): PlumbError {
  const message = 'it was exchanged or removed while it was worked on.'
  return new PlumbError({ code: 'apply-failed', message, where: { file: path }, remedy: 'Apply again.' })
}

export function withFileErrors<T>(path: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw fileError(error, path, 'writing')
  }
}
