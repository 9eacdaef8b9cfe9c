// Reading below a root: stat, hash, content. Never blocks on what is not a regular file.

import { createHash, hash } from 'node:crypto'
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  read as readFd,
  readlinkSync,
  readSync,
  type Stats,
} from 'node:fs'
import { promisify } from 'node:util'
import { compact } from '../../shared/compact.ts'
import { errnoOf } from '../../shared/errno.ts'
import { fileError } from '../../shared/file-error.ts'
import { type AbsolutePath, absolutePathSchema, type Sha256, sha256Schema } from '../../shared/names.ts'
import type { FileReader, FileStat, FileType, HashMemory, Inspection, Reserved, SavedPath, SizeMark } from './files.ts'
import { linksInto } from './files-links.ts'
import { displayName, entriesOf } from './files-list.ts'
import { type Entry, join, nameOf, parentOf, pathOf, type Walk } from './files-walk.ts'
import type { Ground } from './ground.ts'
import type { Mounts } from './mounts.ts'
import { eventLoopYield } from './yield-loop.ts'

/** Hashed by synchronous calls, ten times as fast for small files; larger ones are streamed. */
const smallBytes = 1024 * 1024
const attempts = 3
/**
 * A larger file is not read: the repository has no file of more than 32 MiB (`revisionLimits`), and anyone who can
 * write in a directory can make a sparse file of terabytes there. As much as an apply archives is hashed, for diffs and
 * what was there before.
 */
export const hashedBytes = 256 * 1024 * 1024
const readAsync = promisify(readFd)

type Reading = { readonly memory: HashMemory; readonly ground: Ground; readonly mounts: () => Mounts }

export type ReadMethods = Omit<FileReader, 'accounts' | 'statCache' | 'withoutMemory' | 'parts'>

export function readMethods(walk: Walk, { memory, ground, mounts }: Reading): ReadMethods {
  const rest = eventLoopYield()
  return {
    commandPath: (path) => join(walk.root, path.slice(1)),
    pass: (work) => walk.pass(work),
    stat: (path) => walk.passNow(() => statAt(walk, path)),
    inspect: (path) =>
      walk.pass(async () => {
        await rest()
        return inspectAt(walk, path, memory)
      }),
    read: (path, limitBytes) => walk.pass(() => readAt(walk, path, limitBytes)),
    readLink: (path) => walk.passNow(() => linkAt(walk, path)),
    reserved: (place) => reservedAt(ground, place),
    waysInto: (directories) => ({ links: linksInto(walk.root, directories), mounts: mounts().places }),
    displayName: (name) => displayName(Buffer.from(name)),
    list: (path) => walk.passNow(() => [...entriesOf(walk, path).keys()]),
    mounts: () => mounts().points,
    undoPoint: (path, becomes) => walk.passNow(() => savedPath(walk, path, becomes)),
  }
}

function reservedAt(ground: Ground, place: string): Reserved | undefined {
  const [at, below] = [ground.at(place), ground.below(place)]
  if (at !== undefined) return { kind: 'is', path: at }
  return below === undefined ? undefined : { kind: 'holds', path: below }
}

/** Undefined when there is nothing, or no such directory. */
export function entryAt(walk: Walk, path: string): Entry | undefined {
  const found = walk.parent(path)
  return found.kind === 'entry' ? found : undefined
}

export function statAt(walk: Walk, path: string): FileStat | undefined {
  const entry = entryAt(walk, path)
  return entry === undefined ? undefined : statOf(entry)
}

export function statOf(entry: Entry): FileStat | undefined {
  try {
    return fileStat(lstatSync(pathOf(entry)))
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw fileError(error, join(entry.directory.path, entry.name), 'reading')
  }
}

export function sameInode(one: Pick<FileStat, 'inode' | 'device'>, other: Pick<FileStat, 'inode' | 'device'>): boolean {
  return one.inode === other.inode && one.device === other.device
}

/** Of an open file: at most `limitBytes` are read, in steps that leave the event loop free. */
export async function readOpen(fd: number, limitBytes: number): Promise<Uint8Array | undefined> {
  const { size } = fstatSync(fd)
  if (size > limitBytes) return undefined
  const chunks: Buffer[] = []
  let length = 0
  for (;;) {
    const chunk = Buffer.allocUnsafe(Math.min(Math.max(size - length, 0) + 1, smallBytes))
    const { bytesRead } = await readAsync(fd, chunk, 0, chunk.length, null)
    if (bytesRead === 0) return Buffer.concat(chunks)
    length += bytesRead
    if (length > limitBytes) return undefined
    chunks.push(chunk.subarray(0, bytesRead))
  }
}

export function openFile(entry: Entry): number | undefined {
  return openRegular(pathOf(entry), join(entry.directory.path, entry.name))
}

/** Undefined: not there, or not a regular file. */
export function openRegular(at: string | Buffer, shown: string): number | undefined {
  const fd = openUnblocked(at, shown)
  if (fd === undefined || fstatSync(fd).isFile()) return fd
  closeSync(fd)
  return undefined
}

/** NONBLOCK: a FIFO may stand there. Undefined: nothing, a link or a socket. */
function openUnblocked(at: string | Buffer, shown: string): number | undefined {
  try {
    return openSync(at, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'ENOENT' || errno === 'ELOOP' || errno === 'ENXIO') return undefined
    throw fileError(error, shown, 'reading')
  }
}

async function inspectAt(walk: Walk, path: AbsolutePath, memory: HashMemory): Promise<Inspection | undefined> {
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    const entry = entryAt(walk, path)
    if (entry === undefined) return undefined
    if (memory.get !== undefined) {
      const stat = statOf(entry)
      if (stat?.type !== 'file') return stat && { stat }
      const content = memory.get(path, stat)
      if (content !== undefined) return { stat, content }
    }
    const hashed = await hashEntry(entry)
    if (hashed === 'unstable') continue
    if (hashed !== undefined) {
      const { stat, content } = hashed
      if (hashed.startedAt !== undefined) memory.set(path, stat, hashed.content, hashed.startedAt)
      return { stat, content }
    }
    const stat = statOf(entry)
    if (stat?.type !== 'file') return stat && { stat }
  }
  const stat = statAt(walk, path)
  return stat === undefined ? undefined : stat.type === 'file' ? { stat, content: 'unstable' } : { stat }
}

type Hashed = { readonly stat: FileStat } & (
  | { readonly content: Sha256; readonly startedAt: number }
  | { readonly content: SizeMark; readonly startedAt?: never }
)

/**
 * Undefined: not there, or not a regular file. The same stat before and after reading means that the content is one
 * moment's.
 */
async function hashEntry(entry: Entry): Promise<Hashed | 'unstable' | undefined> {
  const fd = openToHash(entry)
  if (fd === undefined) return undefined
  try {
    const startedAt = Date.now()
    const before = fstatSync(fd)
    if (!before.isFile()) return undefined
    if (before.size > hashedBytes) return { stat: fileStat(before), content: `size ${before.size}` }
    const digest = before.size < smallBytes ? hashSmall(fd, before.size) : await hashLarge(fd, before.size)
    const after = fstatSync(fd)
    if (digest === undefined || !sameMoment(before, after)) return 'unstable'
    return { stat: fileStat(after), content: sha256Schema.parse(digest), startedAt }
  } catch (error) {
    throw fileError(error, join(entry.directory.path, entry.name), 'reading')
  } finally {
    closeSync(fd)
  }
}

/** Undefined also for a device or a directory that may not be opened: it need not be, to say what it is. */
function openToHash(entry: Entry): number | undefined {
  try {
    return openUnblocked(pathOf(entry), join(entry.directory.path, entry.name))
  } catch (error) {
    if (statOf(entry)?.type === 'file') throw error
    return undefined
  }
}

const shared = { buffer: Buffer.alloc(0) }

/** Not read on to its end once `size` bytes are there: what grew has another stat now. Undefined: it grew beyond the buffer. */
function hashSmall(fd: number, size: number): string | undefined {
  if (shared.buffer.length === 0) shared.buffer = Buffer.allocUnsafeSlow(smallBytes)
  let length = 0
  while (length < smallBytes) {
    const count = readSync(fd, shared.buffer, length, smallBytes - length, null)
    length += count
    // Of size 0 are also files of /proc, which have content all the same.
    if (count === 0 || length === size) return hash('sha256', shared.buffer.subarray(0, length), 'hex')
  }
  return undefined
}

/** Undefined when it grew: a process that keeps appending could otherwise keep us reading for ever. */
async function hashLarge(fd: number, size: number): Promise<string | undefined> {
  const digest = createHash('sha256')
  const buffer = Buffer.allocUnsafe(smallBytes)
  let length = 0
  while (length <= size) {
    const { bytesRead } = await readAsync(fd, buffer, 0, buffer.length, null)
    if (bytesRead === 0) return digest.digest('hex')
    length += bytesRead
    digest.update(buffer.subarray(0, bytesRead))
  }
  return undefined
}

async function readAt(walk: Walk, path: string, limitBytes: number): Promise<Uint8Array | undefined> {
  const entry = entryAt(walk, path)
  if (entry === undefined || statOf(entry)?.type !== 'file') return undefined
  const fd = openFile(entry)
  if (fd === undefined) return undefined
  try {
    return await readOpen(fd, limitBytes)
  } catch (error) {
    throw fileError(error, path, 'reading')
  } finally {
    closeSync(fd)
  }
}

function linkAt(walk: Walk, path: string): string | undefined {
  const entry = entryAt(walk, path)
  return entry === undefined ? undefined : linkOf(entry)
}

export function linkOf(entry: Entry): string | undefined {
  try {
    return readlinkSync(pathOf(entry))
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'ENOENT' || errno === 'EINVAL') return undefined
    throw fileError(error, join(entry.directory.path, entry.name), 'reading')
  }
}

function savedPath(walk: Walk, path: AbsolutePath, becomes: string | undefined): SavedPath {
  const stat = statAt(walk, path)
  const was =
    stat === undefined
      ? ({ type: 'missing' } as const)
      : { type: stat.type, mode: stat.mode, uid: stat.uid, gid: stat.gid }
  return {
    path,
    ...reachedAt(walk, path),
    was,
    missingParents: missingAbove(walk, path),
    ...compact({ becomes }),
  }
}

function reachedAt(walk: Walk, path: AbsolutePath): Pick<SavedPath, 'reached'> {
  const parent = walk.directory(parentOf(path))
  if (parent.kind === 'not-a-directory') return {}
  const directory = parent.kind === 'directory' ? parent.path : parent.wanted
  const reached = join(directory, nameOf(path))
  return reached === path ? {} : { reached: absolutePathSchema.parse(reached) }
}

/**
 * The directories that writing the path would make, outermost first, as they will be after following links. What stands
 * in the way of one is not among them: the code that replaces the file restores it.
 */
function missingAbove(walk: Walk, path: string): readonly string[] {
  const parent = walk.directory(parentOf(path))
  if (parent.kind === 'directory') return []
  const missing: string[] = []
  for (let at = parent.wanted; at.length >= parent.path.length; at = parentOf(at)) missing.unshift(at)
  return parent.kind === 'missing' ? missing : missing.slice(1)
}

/** Of one open file. */
function sameMoment(one: Stats, other: Stats): boolean {
  return one.size === other.size && one.mtimeMs === other.mtimeMs && one.ctimeMs === other.ctimeMs
}

export function fileStat(stats: Stats): FileStat {
  const { mode, uid, gid, nlink, size, dev, ino, mtimeMs, ctimeMs } = stats
  return {
    type: typeOf(stats),
    mode: mode & 0o7777,
    uid,
    gid,
    links: nlink,
    size,
    device: dev,
    inode: ino,
    modifiedMs: mtimeMs,
    changedMs: ctimeMs,
  }
}

function typeOf(stats: Stats): FileType {
  if (stats.isFile()) return 'file'
  if (stats.isDirectory()) return 'directory'
  if (stats.isSymbolicLink()) return 'symlink'
  if (stats.isFIFO()) return 'fifo'
  return stats.isSocket() ? 'socket' : 'device'
}
