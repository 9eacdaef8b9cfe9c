// Writing below a root: stage beside the target, publish by rename, keep the former content until it is forgotten or
// rolled back.
import {
  closeSync,
  constants,
  fstatSync,
  fsync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmdirSync,
  unlinkSync,
} from 'node:fs'
import { promisify } from 'node:util'
import { errnoOf } from '../../shared/errno.ts'
import { fileError, unsafePath } from '../../shared/file-error.ts'
import { setOwnerAndMode } from './file-modes.ts'
import type { FileWriter, Permissions } from './files.ts'
import { entriesOf } from './files-list.ts'
import { entryAt, statOf } from './files-read.ts'
import { publish, stageAll, stagedEntryName, stageLink, withStaged } from './files-stage.ts'
import { type Entry, join, type OpenDirectory, pathOf, placeAt } from './files-walk.ts'
import {
  changedMeanwhile,
  directoryInTheWay,
  holdingEntry,
  keptEntry,
  parentMade,
  touch,
  type Writing,
  wholeMark,
  withFileErrors,
} from './files-writing.ts'
import { refuseOpening, refuseReplace, refuseWrite } from './ground.ts'

const fsyncAsync = promisify(fsync)
const lookFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

export type WriteMethods = Pick<
  FileWriter,
  | 'stage'
  | 'stageAll'
  | 'stageLink'
  | 'stagedPath'
  | 'withStaged'
  | 'publish'
  | 'moveAway'
  | 'moveEntriesAway'
  | 'makeDirectory'
  | 'setPermissions'
  | 'removeDirectory'
  | 'removeEmptied'
  | 'syncDirectories'
>

export function writeMethods(writing: Writing): WriteMethods {
  const { walk } = writing
  const now = <T>(path: string, work: () => T): T => walk.passNow(() => withFileErrors(path, work))
  return {
    stage: (path, bytes, permissions) => walk.pass(() => stageAll(writing, [{ path, bytes, permissions }])),
    stageAll: (files) => walk.pass(() => stageAll(writing, files)),
    stageLink: (path, target) => now(path, () => stageLink(writing, path, target)),
    stagedPath: (path) => join(walk.root, stagedEntryName(writing, path)),
    withStaged: (path, work) => walk.pass(() => withStaged(writing, path, work)),
    publish: (path) => now(path, () => publish(writing, path)),
    moveAway: (path) => now(path, () => moveAway(writing, path)),
    moveEntriesAway: (directory, names) => now(directory, () => moveEntriesAway(writing, directory, names)),
    makeDirectory: (path, permissions) => now(path, () => makeDirectory(writing, path, permissions)),
    setPermissions: (path, type, permissions) => walk.pass(() => setPermissions(writing, path, { type, permissions })),
    removeDirectory: (path) => now(path, () => removeDirectory(writing, path)),
    removeEmptied: (path) => now(path, () => isEmptied(writing, path) && removeDirectory(writing, path)),
    syncDirectories: () => walk.pass(() => syncTouched(writing)),
  }
}

export function makeDirectory(writing: Writing, path: string, permissions: Permissions): void {
  refuseOpening(writing.ground, path, { ...permissions, place: placeAt(writing.walk, path) })
  const entry = parentMade(writing, path)
  const there = statOf(entry)
  if (there !== undefined && there.type !== 'directory') moveAway(writing, path)
  if (there?.type !== 'directory') {
    mkdirSync(pathOf(entry), 0o700)
    touch(writing, entry.directory)
  }
  withDirectory(entry, (fd) => setOwnerAndMode(fd, permissions))
  writing.touched.add(join(entry.directory.path, entry.name))
}

export async function setPermissions(
  { walk, ground }: Writing,
  path: string,
  { type, permissions }: { readonly type: 'file' | 'directory'; readonly permissions: Permissions },
): Promise<void> {
  const entry = entryAt(walk, path)
  if (entry === undefined) throw changedMeanwhile(path)
  refuseOpening(ground, path, { ...permissions, place: join(entry.directory.path, entry.name) })
  try {
    const fd = openSync(pathOf(entry), lookFlags)
    try {
      const stat = fstatSync(fd)
      if (type === 'file' ? !stat.isFile() : !stat.isDirectory()) throw changedMeanwhile(path)
      if (stat.isFile() && stat.nlink > 1)
        throw unsafePath(path, 'it has a second name (hard link) elsewhere.', 'Remove one of them, then apply again.')
      setOwnerAndMode(fd, permissions)
      await fsyncAsync(fd)
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    throw fileError(error, path, 'writing')
  }
}

/**
 * Moved away by rename, not removed: it may contain entries that this apply moved away, and a rollback must restore
 * them with it.
 */
function removeDirectory(writing: Writing, path: string): boolean {
  const entry = entryAt(writing.walk, path)
  if (entry === undefined || statOf(entry)?.type !== 'directory') return true
  refuseWrite(writing.ground, path, join(entry.directory.path, entry.name))
  if (entriesOf(writing.walk, path).size > 0 && !isEmptied(writing, path)) return false
  const kept = keptEntry(writing, entry)
  try {
    // Kept already: it was removed and made again in this apply.
    if (statOf(kept) === undefined) renameSync(pathOf(entry), pathOf(kept))
    else rmdirSync(pathOf(entry))
  } catch (error) {
    // On an overlay a directory of the lower layer is not renamed; an empty one can be made again.
    if (errnoOf(error) === 'EXDEV') return removeEmpty(writing, path)
    if (isInUse(error)) return false
    throw error
  }
  forgetDirectory(writing, entry)
  return true
}

/** It contains only entries that this apply moved away. A directory in it that was not removed is not ours, even when empty. */
function isEmptied(writing: Writing, path: string): boolean {
  const directory = writing.walk.directory(path)
  if (directory.kind !== 'directory' || !isSamePlace(writing, directory, path)) return false
  const names = [...entriesOf(writing.walk, path).keys()]
  return names.length > 0 && names.every((name) => name.startsWith(wholeMark(writing.mark)))
}

/** A link to a directory is not a directory to be removed. */
function isSamePlace({ walk }: Writing, directory: OpenDirectory, path: string): boolean {
  const entry = entryAt(walk, path)
  return entry !== undefined && join(entry.directory.path, entry.name) === directory.path
}

/** For a directory that this apply made. False when it is not empty, or a mount. */
export function removeEmpty(writing: Writing, path: string): boolean {
  const entry = entryAt(writing.walk, path)
  if (entry === undefined || statOf(entry)?.type !== 'directory') return true
  try {
    rmdirSync(pathOf(entry))
  } catch (error) {
    if (isInUse(error)) return false
    throw error
  }
  forgetDirectory(writing, entry)
  return true
}

function isInUse(error: unknown): boolean {
  const errno = errnoOf(error)
  return errno === 'ENOTEMPTY' || errno === 'EEXIST' || errno === 'EBUSY'
}

function forgetDirectory({ walk, touched }: Writing, { directory, name }: Entry): void {
  const real = join(directory.path, name)
  walk.changed(real)
  touched.delete(real)
  touched.add(directory.path)
}

export async function syncTouched({ walk, touched }: Writing): Promise<void> {
  const paths = [...touched]
  touched.clear()
  await Promise.all(
    paths.map(async (path) => {
      const directory = walk.directory(path)
      if (directory.kind !== 'directory') return
      // Its own descriptor: the shared one may be closed before the sync has ended.
      const fd = openSync(`/proc/self/fd/${directory.fd}/.`, constants.O_RDONLY | constants.O_DIRECTORY)
      try {
        await fsyncAsync(fd)
      } catch (error) {
        // Some file systems (FUSE, 9p) cannot sync a directory.
        if (errnoOf(error) !== 'EINVAL') throw fileError(error, path, 'writing')
      } finally {
        closeSync(fd)
      }
    }),
  )
}

function moveAway(writing: Writing, path: string): void {
  const target = entryAt(writing.walk, path)
  if (target === undefined) return
  const there = statOf(target)
  if (there === undefined) return
  refuseReplace(writing.ground, path, join(target.directory.path, target.name))
  if (there.type === 'directory') throw directoryInTheWay(writing, path, target)
  const kept = keptEntry(writing, target)
  if (statOf(kept) === undefined) renameSync(pathOf(target), pathOf(kept))
  else unlinkSync(pathOf(target))
  touch(writing, target.directory)
}

function moveEntriesAway(writing: Writing, path: string, names: readonly string[]): void {
  const { walk } = writing
  const directory = walk.directory(path)
  if (directory.kind !== 'directory' || names.length === 0) return
  for (const name of names) refuseReplace(writing.ground, join(path, name), join(directory.path, name))
  const bytes = entriesOf(walk, path)
  const holding = holdingEntry(writing, directory)
  if (statOf(holding) === undefined) mkdirSync(pathOf(holding), 0o700)
  withHolding(holding, (fd) => {
    for (const name of names) {
      const raw = bytes.get(name)
      if (raw === undefined) continue
      moveEntry(raw, directory.fd, fd)
      walk.changed(join(directory.path, name))
    }
  })
  touch(writing, directory)
}

/** Only when it is ours, since its name could be exchanged in a directory that others can write. */
export function withHolding<T>(holding: Entry, work: (fd: number) => T): T {
  return withDirectory(holding, (fd) => {
    if (fstatSync(fd).uid !== process.geteuid?.()) throw changedMeanwhile(join(holding.directory.path, holding.name))
    return work(fd)
  })
}

export function withDirectory<T>(entry: Entry, work: (fd: number) => T): T {
  const fd = openSync(pathOf(entry), lookFlags | constants.O_DIRECTORY)
  try {
    return work(fd)
  } finally {
    closeSync(fd)
  }
}

/** A mount point cannot be moved and stays where it is. */
export function moveEntry(name: Buffer, from: number, to: number): void {
  try {
    renameSync(below(from, name), below(to, name))
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'EXDEV') moveDirectory(name, from, to)
    else if (errno !== 'EBUSY' && errno !== 'ENOENT') throw error
  }
}

/** On an overlay a directory of the lower layer is not renamed, but what is in it can be. */
function moveDirectory(name: Buffer, from: number, to: number): void {
  const source = openSync(below(from, name), lookFlags | constants.O_DIRECTORY)
  try {
    mkdirSync(below(to, name), 0o700)
    const target = openSync(below(to, name), lookFlags | constants.O_DIRECTORY)
    try {
      for (const child of readdirSync(`/proc/self/fd/${source}/.`, { encoding: 'buffer' }))
        moveEntry(child, source, target)
      const { mode, uid, gid } = fstatSync(source)
      setOwnerAndMode(target, { mode: mode & 0o7777, ...(process.geteuid?.() === 0 ? { uid, gid } : {}) })
    } finally {
      closeSync(target)
    }
  } finally {
    closeSync(source)
  }
  rmdirSync(below(from, name))
}

/** A name that need not be UTF-8, in an open directory. */
export function below(fd: number, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`/proc/self/fd/${fd}/`), name])
}
