// From a root to the directory of a path, component by component: an emulated openat through /proc/self/fd/N/name.
// A link on the way is followed only when no unprivileged user could have placed it, and never out of the root.
import { closeSync, constants, fstatSync, lstatSync, mkdirSync, openSync, readlinkSync } from 'node:fs'
import { errnoOf } from '../../shared/errno.ts'
import { fileError, unsafePath } from '../../shared/file-error.ts'
import { setModeIfAny } from './file-modes.ts'

/** An open directory; `path` has no links in it. */
export type OpenDirectory = { readonly kind: 'directory'; readonly fd: number; readonly path: string }
export type Walked =
  | OpenDirectory
  /** `path` is the first that is not there, `wanted` what was asked for; neither has links in it. */
  | { readonly kind: 'missing'; readonly path: string; readonly wanted: string }
  /** `path` is what stands in the way. */
  | { readonly kind: 'not-a-directory'; readonly path: string; readonly wanted: string }

/** A name in an open directory. */
export type Entry = { readonly directory: OpenDirectory; readonly name: string }

/** What may be opened as a directory on the way; NONBLOCK because a FIFO could stand there. */
const directoryFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW | constants.O_NONBLOCK
/** Directories held open at a time; the limit of open files is 1,024 on some hosts. */
const openLimit = 256
const linkLimit = 40

export class Walk {
  readonly root: string
  readonly #open = new Map<string, number>()
  readonly #links = new Map<string, string>()
  readonly #uid = process.geteuid?.() ?? 0
  #passes = 0

  constructor(root: string) {
    this.root = root
  }

  /** Directories opened by `work` stay open until it, and every pass that overlaps it, has ended. */
  async pass<T>(work: () => Promise<T>): Promise<T> {
    this.#passes += 1
    try {
      return await work()
    } finally {
      this.#endPass()
    }
  }

  passNow<T>(work: () => T): T {
    this.#passes += 1
    try {
      return work()
    } finally {
      this.#endPass()
    }
  }

  directory(path: string): Walked {
    return this.#directory(path, 0)
  }

  /** The open parent of a path, or why there is none. */
  parent(path: string): (Entry & { readonly kind: 'entry' }) | Exclude<Walked, OpenDirectory> {
    const walked = this.directory(parentOf(path))
    return walked.kind === 'directory' ? { kind: 'entry', directory: walked, name: nameOf(path) } : walked
  }

  /** As `directory`, making what is missing with mode 0755; `onTouched` gets the paths of directories to sync for that. */
  make(path: string, onTouched: (path: string) => void): Walked {
    const walked = this.directory(path)
    if (walked.kind !== 'missing') return walked
    const parent = this.make(parentOf(walked.path), onTouched)
    if (parent.kind !== 'directory') return parent
    makeOne({ directory: parent, name: nameOf(walked.path) })
    onTouched(parent.path)
    onTouched(walked.path)
    return this.make(path, onTouched)
  }

  /** Must be called when a directory was renamed or removed: paths below it are resolved again. */
  changed(path: string): void {
    for (const [open, fd] of this.#open)
      if (open === path || open.startsWith(`${path}/`)) {
        this.#open.delete(open)
        closeSync(fd)
      }
    this.#links.clear()
  }

  #directory(path: string, links: number): Walked {
    const real = this.#links.get(path) ?? path
    const fd = this.#open.get(real)
    if (fd !== undefined) return this.#touched(real, fd)
    if (real === '/') return this.#keep('/', openRoot(this.root))
    const parent = this.#directory(parentOf(real), links)
    if (parent.kind !== 'directory') return { ...parent, wanted: join(parent.wanted, nameOf(real)) }
    return this.#child({ directory: parent, name: nameOf(real) }, path, links)
  }

  #child(entry: Entry, path: string, links: number): Walked {
    const real = join(entry.directory.path, entry.name)
    const fd = this.#open.get(real)
    if (fd !== undefined) return this.#touched(real, fd)
    try {
      return this.#keep(real, openSync(pathOf(entry), directoryFlags))
    } catch (error) {
      const errno = errnoOf(error)
      if (errno === 'ENOENT') return { kind: 'missing', path: real, wanted: real }
      if (errno !== 'ENOTDIR' && errno !== 'ELOOP') throw fileError(error, path, 'reading')
    }
    return this.#link(entry, path, links)
  }

  #link(entry: Entry, path: string, links: number): Walked {
    const real = join(entry.directory.path, entry.name)
    const target = this.#trustedTarget(entry, real)
    if (target === undefined) return { kind: 'not-a-directory', path: real, wanted: real }
    if (links >= linkLimit)
      throw unsafePath(path, `more than ${linkLimit} links lead to it.`, 'Remove the circle of links.')
    let at: Walked = target.startsWith('/') ? this.#directory('/', links) : entry.directory
    for (const part of target.split('/').filter((name) => name !== '' && name !== '.')) {
      if (at.kind !== 'directory') at = { ...at, wanted: stepFrom(at.wanted, part) }
      else at = this.#directory(stepFrom(at.path, part), links + 1)
    }
    if (at.kind === 'directory') this.#links.set(path, at.path)
    return at
  }

  /** Undefined: not a link. Only root and we ourselves may have placed it, in a directory that no other user can write. */
  #trustedTarget(entry: Entry, path: string): string | undefined {
    try {
      const link = lstatSync(pathOf(entry))
      if (!link.isSymbolicLink()) return undefined
      const directory = fstatSync(entry.directory.fd)
      const mine = [link, directory].every(({ uid }) => uid === 0 || uid === this.#uid)
      if (mine && (directory.mode & 0o022) === 0) return readlinkSync(pathOf(entry))
      const whose = `a link of uid ${link.uid} in a directory of uid ${directory.uid}, mode ${(directory.mode & 0o7777).toString(8)}`
      throw unsafePath(
        path,
        `it is ${whose}: a user other than root could lead it anywhere, so it is not followed.`,
        'Replace the link by a directory, or make it and its directory root-owned and writable for root only.',
      )
    } catch (error) {
      throw fileError(error, path, 'reading')
    }
  }

  #keep(path: string, fd: number): OpenDirectory {
    for (const [oldest, oldFd] of this.#open) {
      if (this.#open.size < openLimit) break
      this.#open.delete(oldest)
      closeSync(oldFd)
    }
    this.#open.set(path, fd)
    return { kind: 'directory', fd, path }
  }

  /** Moved to the end: the oldest in the map is the least recently used. */
  #touched(path: string, fd: number): OpenDirectory {
    this.#open.delete(path)
    this.#open.set(path, fd)
    return { kind: 'directory', fd, path }
  }

  #endPass(): void {
    this.#passes -= 1
    if (this.#passes > 0) return
    for (const fd of this.#open.values()) closeSync(fd)
    this.#open.clear()
    this.#links.clear()
  }
}

/** The path that reaches an entry whatever happens to the names above it. */
export function pathOf(entry: Entry): string {
  return `/proc/self/fd/${entry.directory.fd}/${entry.name}`
}

export function join(directory: string, name: string): string {
  return directory === '/' ? `/${name}` : `${directory}/${name}`
}

/** From a path without links. */
function stepFrom(path: string, part: string): string {
  return part === '..' ? parentOf(path) : join(path, part)
}

/** Where a path is, or will be, links on the way followed. */
export function placeAt(walk: Walk, path: string): string {
  const parent = walk.directory(parentOf(path))
  return join(parent.kind === 'directory' ? parent.path : parent.wanted, nameOf(path))
}

export function parentOf(path: string): string {
  const slash = path.lastIndexOf('/')
  return slash <= 0 ? '/' : path.slice(0, slash)
}

/** The last component; throws unless it is a plain name, independent of the path's origin. */
export function nameOf(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1)
  if (!path.startsWith('/') || name === '' || name === '.' || name === '..' || name.includes('\0'))
    throw unsafePath(path, 'this is not a normal absolute path.', 'Name the path itself, without `..` or `//`.')
  return name
}

function openRoot(root: string): number {
  try {
    return openSync(root, constants.O_RDONLY | constants.O_DIRECTORY)
  } catch (error) {
    throw fileError(error, root, 'reading')
  }
}

function makeOne(entry: Entry): void {
  const path = join(entry.directory.path, entry.name)
  try {
    mkdirSync(pathOf(entry), 0o755)
    const fd = openSync(pathOf(entry), directoryFlags)
    try {
      // mkdir's mode is cut by the umask.
      setModeIfAny(fd, 0o755)
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw fileError(error, path, 'writing')
  }
}
