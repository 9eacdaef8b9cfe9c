// Safe file access below a root: what the stages may ask for. Paths are as on the host, without the root.
// No component is followed through a link that an unprivileged user could have placed (files-walk.ts).
import type { AbsolutePath, Sha256 } from '../../shared/names.ts'
import type { Ways } from '../../shared/places.ts'

export type FileType = 'file' | 'directory' | 'symlink' | 'fifo' | 'socket' | 'device'

/** What lstat said. */
export type FileStat = {
  readonly type: FileType
  /** Permission bits with setuid, setgid and sticky: `0o644`. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly links: number
  /** Bytes. */
  readonly size: number
  readonly device: number
  readonly inode: number
  /** Since the epoch. As floating-point numbers, these and the inode's are exact enough to distinguish two states of a file. */
  readonly modifiedMs: number
  readonly changedMs: number
}

/**
 * `content` only of regular files; 'unstable': it changed during each of three attempts to hash it; its size where that
 * alone distinguishes it from everything that a repository can hold.
 */
export type Inspection = { readonly stat: FileStat; readonly content?: Sha256 | 'unstable' | SizeMark }

/** Equals no hash. */
export type SizeMark = `size ${number}`

/** Bytes; undefined for a hash. */
export function markedSize(content: string): string | undefined {
  return content.startsWith(sizeMark) ? content.slice(sizeMark.length) : undefined
}

const sizeMark = 'size '

/** Remembers hashes by path and stat, so that what did not move is not read again. */
export type HashMemory = {
  /** Absent: nothing is believed, every file is read. */
  get?(path: AbsolutePath, stat: FileStat): Sha256 | undefined
  /** `startedAt`: ms since the epoch, before the first byte was read. */
  set(path: AbsolutePath, stat: FileStat, sha256: Sha256, startedAt: number): void
}

/** Finds which of many paths have changed since they were noted. */
export type StatCache = {
  /** Positions of paths that changed or cannot be compared, in order. They are no longer noted. */
  refresh(): Promise<readonly number[]>
  /** What was seen there by a look that began at `startedAt`, in ms since the epoch. */
  note(position: number, seen: FileStat | 'missing', startedAt: number): void
  forgetAll(): void
}

/** Names of users and groups as this root's etc/passwd and etc/group know them (on `/` also getent). */
export type Accounts = {
  /**
   * `preferred` when it has this id too, else the first name of the id, else the id as text. Undefined: not known in a
   * sandbox.
   */
  userName(uid: number, preferred?: string): Promise<string | undefined>
  groupName(gid: number, preferred?: string): Promise<string | undefined>
  /** A name, or a number as text. */
  userId(name: string): Promise<number | undefined>
  groupId(name: string): Promise<number | undefined>
}

/** What was at a path before a change; plain JSON. */
export type SavedPath = {
  readonly path: AbsolutePath
  /** Where the links on the way to it lead, when there are any: another change may take such a link away. */
  readonly reached?: AbsolutePath | undefined
  readonly was:
    | { readonly type: 'missing' }
    | { readonly type: FileType; readonly mode: number; readonly uid: number; readonly gid: number }
  /** Parent directories that were not there, outermost first. */
  readonly missingParents: readonly string[]
  /** SHA-256 or link target that the change brings: distinguishes our own file from one that another program made meanwhile. */
  readonly becomes?: string | undefined
}

/** It is, or is in, what no repository changes; or it has that below it. `path` is the reserved one. */
export type Reserved = { readonly kind: 'is' | 'holds'; readonly path: string }

/** Methods throw PlumbError: `unsafe-path`, `observe-failed`, `disk-full`, `read-only`, `apply-failed`. */
export type FileReader = {
  readonly accounts: Accounts
  /** Where a command started by the agent finds the path. */
  commandPath(path: AbsolutePath): string
  /** Directories opened inside `work` stay open until its end: many files in few steps. */
  pass<T>(work: () => Promise<T>): Promise<T>
  /** lstat; undefined when nothing is there. */
  stat(path: AbsolutePath): FileStat | undefined
  /** The same one for the same list: kept while the list is. */
  statCache(paths: readonly AbsolutePath[]): StatCache
  /** stat, and the hash of a regular file that is not huge; never blocks on a FIFO or device. */
  inspect(path: AbsolutePath): Promise<Inspection | undefined>
  /** Undefined when it is not there, not a regular file, or larger than `limitBytes`. */
  read(path: AbsolutePath, limitBytes: number): Promise<Uint8Array | undefined>
  /** Gives a regular file of any size part by part; the stat is of what was read. Undefined when there is none. */
  parts(path: AbsolutePath, take: TakePart): Promise<FileStat | undefined>
  readLink(path: AbsolutePath): string | undefined
  /** The links that are followed on the way into these directories, and what mounts give a second path. */
  waysInto(directories: Iterable<string>): Ways
  /** Of a place, with links on the way followed already; by any mount that leads to it. Undefined: a repository may have it. */
  reserved(place: string): Reserved | undefined
  /** Names in a directory, sorted; control characters and what is not UTF-8 are shown as `\xNN`. Empty when it is not there. */
  list(path: AbsolutePath): readonly string[]
  /** A name as `list` shows it. */
  displayName(name: string): string
  /** Mount points at or below the root, as host paths. */
  mounts(): ReadonlySet<string>
  /** What a change of this path will overwrite. */
  undoPoint(path: AbsolutePath, becomes?: string): SavedPath
  /** The same reader, hashing everything again (and remembering it). */
  withoutMemory(): FileReader
}

/** Numbers, because names were resolved before anything was written. Absent: left as the file system makes it. */
export type Permissions = { readonly mode: number; readonly uid?: number; readonly gid?: number }

export type NewContent = {
  readonly path: AbsolutePath
  /** In parts, when it is too large to be held. */
  readonly bytes: Uint8Array | AsyncIterable<Uint8Array>
  readonly permissions: Permissions
}

/** Both are open until the work has ended. */
export type OpenStaged = {
  readonly staged: number
  /** Undefined: no regular file is there. */
  readonly live: number | undefined
  setMode(mode: number): void
  clearCapabilities(): void
}

/** The buffer is reused for the next part: a caller that keeps a part must copy it. */
export type TakePart = (part: Uint8Array) => void | Promise<void>

/** What this writer replaced or moved away, by its former path, until it is forgotten or rolled back. */
export type Former = {
  stat(path: AbsolutePath): FileStat | undefined
  readLink(path: AbsolutePath): string | undefined
  parts(path: AbsolutePath, take: TakePart): Promise<FileStat | undefined>
  /** What `setAsideEntries` took out of a directory, with everything below it, parents first. */
  purged(directory: AbsolutePath, visit: (entry: PurgedEntry) => Promise<void>): Promise<void>
}

export type PurgedEntry = {
  /** Where it was, as `list` shows names. */
  readonly path: string
  /** A name in it is not shown as it is, so `path` does not lead to it. */
  readonly isEscaped: boolean
  readonly stat: FileStat
  readLink(): string | undefined
  parts(take: TakePart): Promise<FileStat | undefined>
}

/**
 * Temporary names are `<mark>-<hash of the name>`, with `~` for what was there before, so that another process can
 * find and undo them after a crash from the mark alone.
 */
export type FileWriter = Omit<FileReader, 'withoutMemory'> & {
  withoutMemory(): FileReader
  /** `.plumb-<random>`, one per writer. */
  readonly mark: string
  /** The same writer with the mark of an earlier writer, to finish or roll back its work. */
  marked(mark: string): FileWriter
  /** The same writer with a mark of its own: what it keeps at a path is not taken for what another part keeps there. */
  part(): FileWriter
  /** A temporary name of this writer or of any part of it. */
  isKept(name: string): boolean
  /** Writes a file beside `path` and syncs it; makes missing parents (0755). */
  stage(path: AbsolutePath, bytes: NewContent['bytes'], permissions: Permissions): Promise<void>
  /** The same for many, synced side by side. */
  stageAll(files: readonly NewContent[]): Promise<void>
  stageLink(path: AbsolutePath, target: string): void
  /** Where a command finds the staged file. */
  stagedPath(path: AbsolutePath): string
  /** Opens the staged file and the file that it will replace, so that no name can lead elsewhere meanwhile. */
  withStaged<T>(path: AbsolutePath, work: (open: OpenStaged) => Promise<T>): Promise<T>
  /** Renames the staged file over `path`, keeping what was there under a temporary name. */
  publish(path: AbsolutePath): void
  /** Renames what is at `path` to its temporary name. */
  moveAway(path: AbsolutePath): void
  /** Moves entries of a directory (as `list` names them) out of it; mounts stay. */
  moveEntriesAway(directory: AbsolutePath, names: readonly string[]): void
  /** Makes a directory with its parents, or corrects the one that is there. */
  makeDirectory(path: AbsolutePath, permissions: Permissions): void
  /** Changes mode and owner in place. */
  setPermissions(path: AbsolutePath, type: 'file' | 'directory', permissions: Permissions): Promise<void>
  /** Moves an empty directory away; false when there is anything in it, or it is a mount. */
  removeDirectory(path: AbsolutePath): boolean
  /** The same, but only for one that this very writer emptied, with the directories in it. */
  removeEmptied(path: AbsolutePath): boolean
  readonly replaced: Former
  /** Syncs every directory touched since the last call. */
  syncDirectories(): Promise<void>
  /** Makes the path what it was; whatever part of the change was done, and twice as well as once. */
  rollBack(saved: SavedPath): Promise<void>
  /** After success: removes what was kept of the path's former content. */
  forget(path: AbsolutePath): Promise<void>
}
