// File-system events: one inotify watch for each directory above a managed path, by Node's fs.watch. An event carries no state;
// it says 'look again'. What cannot be watched is looked at every checkEvery as before.
// Decision: docs/decisions/2026-11-26-events.md

import { type FSWatcher, readdirSync, readFileSync, statSync, watch } from 'node:fs'
import { join } from 'node:path'
import { errnoOf } from '../../shared/errno.ts'
import type { AbsolutePath } from '../../shared/names.ts'
import type { Problem } from '../../shared/problem.ts'

/** Paths on the host that need a watch. */
export type Watched = {
  readonly paths: readonly AbsolutePath[]
  /** Everything in them counts, at any depth. */
  readonly trees: readonly AbsolutePath[]
}

export type FileEventParts = {
  /** Where `/` of the host is. */
  readonly root: string
  readonly changed: () => void
  /** The kernel may have dropped events: only a full check knows. */
  readonly overflowed: () => void
  /** Directories watched at a time; each costs about 1 KiB of kernel memory. */
  readonly limit?: number
}

/**
 * When the kernel's queue is full it drops events and says so in one that libuv ignores. But it only gets full with
 * `max_queued_events` (16,384) events in it, which are delivered all the same: so many since the last look, or nearly, are taken
 * for an overflow.
 */
const smallestBurst = 4096
const defaultLimit = 8192

export class FileEvents {
  readonly #parts: FileEventParts
  readonly #watches = new Map<string, Watch>()
  readonly #burst = Math.min(smallestBurst, Math.floor(queuedEvents() / 2))
  #events = 0
  #known: { readonly watched: Watched; readonly directories: Directories } | undefined
  #problem: Problem | undefined

  constructor(parts: FileEventParts) {
    this.#parts = parts
  }

  /** Why some changes are seen only by a check; undefined when all are seen at once. */
  get problem(): Problem | undefined {
    return this.#problem
  }

  /** How many directories are watched. */
  get size(): number {
    return this.#watches.size
  }

  /** A look begins: what was gathered so far is answered by it. */
  looked(): void {
    this.#events = 0
  }

  /**
   * Watches these from now on. True: a directory was not watched before, or was exchanged; what happened in it until now
   * was not seen.
   */
  follow(watched: Watched): boolean {
    if (this.#known?.watched !== watched)
      this.#known = { watched, directories: directoriesAbove(watched, this.#parts.root) }
    const wanted = withTrees(this.#known.directories, watched, this.#parts.root)
    for (const [directory, { watcher }] of this.#watches)
      if (!wanted.has(directory)) {
        watcher.close()
        this.#watches.delete(directory)
      }
    this.#problem = undefined
    let isNew = false
    for (const [directory, names] of wanted) {
      const known = this.#watches.get(directory)
      const identity = identityOf(directory)
      if (known !== undefined && known.identity === identity) {
        known.names = names
        continue
      }
      known?.watcher.close()
      this.#watches.delete(directory)
      if (identity !== undefined && this.#add(directory, identity, names)) isNew = true
    }
    return isNew
  }

  close(): void {
    for (const { watcher } of this.#watches.values()) watcher.close()
    this.#watches.clear()
  }

  #add(directory: string, identity: string, names: Names): boolean {
    if (this.#watches.size >= (this.#parts.limit ?? defaultLimit)) {
      this.#problem ??= unwatched(`only ${this.#watches.size} directories are watched`, manyDirectories)
      return false
    }
    try {
      const watcher = watch(directory, { persistent: false }, (_, name) => this.#event(directory, name))
      // The kernel took the watch away: the next look watches the directory again, if it is still there.
      watcher.on('error', () => this.#lost(directory, watcher))
      this.#watches.set(directory, { watcher, identity, names })
      return true
    } catch (error) {
      const errno = errnoOf(error)
      if (errno === 'ENOSPC' || errno === 'EMFILE')
        this.#problem ??= unwatched(`the kernel gives no more file watches (${errno})`, moreWatches)
      return false
    }
  }

  #lost(directory: string, watcher: FSWatcher): void {
    watcher.close()
    if (this.#watches.get(directory)?.watcher === watcher) this.#watches.delete(directory)
    this.#parts.changed()
  }

  #event(directory: string, name: string | null): void {
    this.#events += 1
    if (this.#events === this.#burst) this.#parts.overflowed()
    const names = this.#watches.get(directory)?.names
    if (name === null || names === undefined || names === 'all' || names.has(name) || directory.endsWith(`/${name}`))
      this.#parts.changed()
  }
}

/** The names in a directory that matter. */
type Names = ReadonlySet<string> | 'all'
type Watch = { readonly watcher: FSWatcher; readonly identity: string; names: Names }

type Directories = ReadonlyMap<string, Names>

/** Directories that are there or may appear, by real path below the root, with the names that matter in each. */
function directoriesAbove({ paths, trees }: Watched, root: string): Directories {
  const wanted = new Map<string, Set<string> | 'all'>()
  for (const path of [...paths, ...trees]) addAbove(path, wanted)
  for (const tree of trees) wanted.set(tree, 'all')
  return new Map([...wanted].map(([directory, names]) => [join(root, directory), names]))
}

/** What is below a tree may be other directories each time. */
function withTrees(directories: Directories, { trees }: Watched, root: string): Directories {
  if (trees.length === 0) return directories
  const below = trees.flatMap((tree) => directoriesBelow(root, tree))
  return new Map([...directories, ...below.map((directory) => [join(root, directory), 'all'] as const)])
}

/** Every directory above a path, so that one of them appearing, vanishing or being exchanged is seen. */
function addAbove(path: string, wanted: Map<string, Set<string> | 'all'>): void {
  for (let at = path; at !== '/'; ) {
    const end = at.lastIndexOf('/')
    const name = at.slice(end + 1)
    const parent = end === 0 ? '/' : at.slice(0, end)
    const names = wanted.get(parent)
    if (names === undefined) wanted.set(parent, new Set([name]))
    else if (names !== 'all') {
      // All above it are there already.
      if (names.has(name)) return
      names.add(name)
    }
    at = parent
  }
}

/** A tree of links or of thousands of directories ends somewhere: what is too deep is seen by checks. */
function directoriesBelow(root: string, tree: string): readonly string[] {
  const found: string[] = []
  const next = [tree]
  for (let at = next.pop(); at !== undefined && found.length < defaultLimit; at = next.pop()) {
    for (const name of subdirectories(join(root, at))) {
      found.push(`${at}/${name}`)
      next.push(`${at}/${name}`)
    }
  }
  return found
}

function subdirectories(directory: string): readonly string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name)
  } catch {
    return []
  }
}

/** Undefined: no directory is there now. Links are followed: what they lead to is what is managed. */
function identityOf(directory: string): string | undefined {
  try {
    const stat = statSync(directory)
    return stat.isDirectory() ? `${stat.dev}:${stat.ino}:${stat.birthtimeMs}` : undefined
  } catch {
    return undefined
  }
}

function queuedEvents(): number {
  try {
    return Number(readFileSync('/proc/sys/fs/inotify/max_queued_events', 'utf8')) || smallestBurst * 2
  } catch {
    return smallestBurst * 2
  }
}

const manyDirectories = 'Changes in the others are seen at every check (checkEvery in plumb.yaml).'
const moreWatches = `Raise it: sysctl fs.inotify.max_user_watches (and max_user_instances). ${manyDirectories}`

function unwatched(why: string, remedy: string): Problem {
  return { code: 'observe-failed', message: `Not every change is seen at once: ${why}.`, remedy }
}
