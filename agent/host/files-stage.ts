// A new version beside its target, then in its place by rename, the former one kept under a second name.
import {
  closeSync,
  constants,
  fchownSync,
  fstatSync,
  fsync,
  linkSync,
  openSync,
  readlinkSync,
  readSync,
  renameSync,
  symlinkSync,
  write,
  writeSync,
} from 'node:fs'
import { promisify } from 'node:util'
import { errnoOf } from '../../shared/errno.ts'
import { fileError, unsafePath } from '../../shared/file-error.ts'
import { PlumbError } from '../../shared/problem.ts'
import { linkedPath } from '../../shared/repository/reserved.ts'
import { setMode, setOwnerAndMode } from './file-modes.ts'
import type { FileStat, NewContent, OpenStaged } from './files.ts'
import { entryAt, openFile, sameInode, statOf } from './files-read.ts'
import { type Entry, join, pathOf, type Walk } from './files-walk.ts'
import {
  changedMeanwhile,
  clearCapabilities,
  directoryInTheWay,
  keptEntry,
  parentMade,
  stagedEntry,
  touch,
  type Writing,
  withFileErrors,
} from './files-writing.ts'
import { refuseLink, refuseReplace } from './ground.ts'

const fsyncAsync = promisify(fsync)
const writeAsync = promisify(write)
/** Written by one synchronous call; more would stop the event loop for too long. */
const smallBytes = 1024 * 1024
const changeFlags = constants.O_WRONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
const createFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW

/**
 * All are written before the first is synced: on ext4 making a file waits for the sync of other files in its directory.
 */
export async function stageAll(writing: Writing, files: readonly NewContent[]): Promise<void> {
  const open: { readonly path: string; readonly fd: number }[] = []
  try {
    for (const file of files) open.push({ path: file.path, fd: await writeBeside(writing, file) })
    await Promise.all(
      open.map(async ({ path, fd }) => {
        try {
          await fsyncAsync(fd)
        } catch (error) {
          throw fileError(error, path, 'writing')
        }
      }),
    )
  } finally {
    for (const { fd } of open) closeSync(fd)
  }
}

/** The open file; the caller must close it. */
async function writeBeside(writing: Writing, { path, bytes, permissions }: NewContent): Promise<number> {
  const target = withFileErrors(path, () => parentMade(writing, path))
  const entry = stagedEntry(writing, target)
  try {
    if (statOf(target)?.type === 'directory') throw directoryInTheWay(writing, path, target)
    const fd = openSync(pathOf(entry), createFlags, 0o600)
    try {
      await writeContent(fd, bytes)
      setOwnerAndMode(fd, permissions)
      const { ino, dev } = fstatSync(fd)
      writing.staged.set(path, { inode: ino, device: dev })
      return fd
    } catch (error) {
      closeSync(fd)
      throw error
    }
  } catch (error) {
    throw fileError(error, path, 'writing')
  }
}

export async function withStaged<T>(
  writing: Writing,
  path: string,
  work: (open: OpenStaged) => Promise<T>,
): Promise<T> {
  const target = entryAt(writing.walk, path)
  const staged = target === undefined ? undefined : openFile(stagedEntry(writing, target))
  if (target === undefined || staged === undefined) throw changedMeanwhile(path)
  let live: number | undefined
  try {
    const { ino, dev } = fstatSync(staged)
    const known = writing.staged.get(path)
    if (known === undefined || !sameInode(known, { inode: ino, device: dev })) throw changedMeanwhile(path)
    live = openFile(target)
    return await work({
      staged,
      live,
      setMode: (mode) => withFileErrors(path, () => setMode(staged, mode)),
      clearCapabilities: () => withFileErrors(path, () => clearCapabilities(staged)),
    })
  } finally {
    closeSync(staged)
    if (live !== undefined) closeSync(live)
  }
}

export function stageLink(writing: Writing, path: string, target: string): void {
  const at = parentMade(writing, path)
  refuseLink(writing.ground, path, leadsTo(writing.walk, at, target))
  if (statOf(at)?.type === 'directory') throw directoryInTheWay(writing, path, at)
  const entry = stagedEntry(writing, at)
  symlinkSync(target, pathOf(entry))
  const stat = statOf(entry)
  if (stat !== undefined) writing.staged.set(path, stat)
}

/** As far as can be determined: a path that other users could exchange is not written to. */
function leadsTo(walk: Walk, { directory }: Entry, target: string): string {
  const path = linkedPath(join(directory.path, '.'), target)
  try {
    const found = walk.directory(path)
    return found.kind === 'missing' ? found.wanted : found.path
  } catch (error) {
    if (error instanceof PlumbError) return path
    throw error
  }
}

export function publish(writing: Writing, path: string): void {
  const target = entryAt(writing.walk, path)
  if (target === undefined) throw changedMeanwhile(path)
  refuseReplace(writing.ground, path, join(target.directory.path, target.name))
  keep(writing, target, path)
  const staged = writing.staged.get(path)
  renameSync(pathOf(stagedEntry(writing, target)), pathOf(target))
  touch(writing, target.directory)
  const live = statOf(target)
  if (staged === undefined || live === undefined || !sameInode(staged, live))
    throw unsafePath(
      path,
      'another process exchanged the staged file while it was put in place.',
      'Make its directory writable for root only, then apply again.',
    )
  writing.staged.delete(path)
}

/** A second name for what is at the path: rename then replaces it, and the rollback is a rename too. */
function keep(writing: Writing, target: Entry, path: string): void {
  const there = statOf(target)
  if (there === undefined) return
  if (there.type === 'directory') throw directoryInTheWay(writing, path, target)
  const kept = keptEntry(writing, target)
  if (statOf(kept) !== undefined) return
  try {
    linkSync(pathOf(target), pathOf(kept))
  } catch (error) {
    if (!cannotLink.has(errnoOf(error) ?? '')) throw error
    keepCopy(target, kept, there)
  }
}

/** vfat has no hard links. EPERM also for an immutable file, which `keepCopy` refuses. */
const cannotLink: ReadonlySet<string> = new Set(['EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EACCES'])

function keepCopy(target: Entry, kept: Entry, there: FileStat): void {
  if (there.type === 'symlink') {
    symlinkSync(readlinkSync(pathOf(target)), pathOf(kept))
    return
  }
  if (there.type === 'file') refuseImmutable(target)
  const source = there.type === 'file' ? openFile(target) : undefined
  if (source === undefined) throw changedMeanwhile(join(target.directory.path, target.name))
  const fd = openSync(pathOf(kept), createFlags, 0o600)
  try {
    copyAll(source, fd)
    if (process.geteuid?.() === 0) fchownSync(fd, there.uid, there.gid)
    setMode(fd, there.mode)
  } finally {
    closeSync(source)
    closeSync(fd)
  }
}

/** In parts: it may be larger than memory. */
function copyAll(from: number, to: number): void {
  const part = Buffer.allocUnsafe(smallBytes)
  for (;;) {
    const count = readSync(from, part, 0, part.length, null)
    if (count === 0) return
    writeSyncAll(to, part.subarray(0, count))
  }
}

function refuseImmutable(target: Entry): void {
  try {
    closeSync(openSync(pathOf(target), changeFlags))
  } catch (error) {
    // EACCES: the file of another user, in a directory that is ours, may be replaced.
    if (errnoOf(error) === 'EPERM') throw error
  }
}

async function writeContent(fd: number, content: NewContent['bytes']): Promise<void> {
  if (content instanceof Uint8Array) return writeAll(fd, content)
  for await (const part of content) await writeAll(fd, part)
}

async function writeAll(fd: number, bytes: Uint8Array): Promise<void> {
  if (bytes.length <= smallBytes) return writeSyncAll(fd, bytes)
  let written = 0
  while (written < bytes.length)
    written += (await writeAsync(fd, bytes, written, Math.min(smallBytes, bytes.length - written), null)).bytesWritten
}

function writeSyncAll(fd: number, bytes: Uint8Array): void {
  let written = 0
  while (written < bytes.length) written += writeSync(fd, bytes, written)
}

export function stagedEntryName(writing: Writing, path: string): string {
  const found = entryAt(writing.walk, path)
  if (found === undefined) throw changedMeanwhile(path)
  return join(found.directory.path, stagedEntry(writing, found).name).slice(1)
}
