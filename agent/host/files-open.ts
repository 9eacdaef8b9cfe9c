// Opens the files below a root for the stages: puts walking, reading, writing and undoing together.
import { realpathSync } from 'node:fs'
import type { Run } from '../../shared/command.ts'
import type { AbsolutePath } from '../../shared/names.ts'
import type { FileReader, FileWriter, HashMemory, StatCache } from './files.ts'
import { accountsOf } from './files-accounts.ts'
import { formerMethods, partsOf } from './files-parts.ts'
import { readMethods } from './files-read.ts'
import { undoMethods } from './files-undo.ts'
import { Walk } from './files-walk.ts'
import { writeMethods } from './files-write.ts'
import { newMark, type Writing, wholeMark } from './files-writing.ts'
import { type Ground, groundWith, mountedGround, openGround } from './ground.ts'
import { type Mounts, mountsBelow } from './mounts.ts'
import { statCache } from './stat-cache.ts'

export type OpenFilesOptions = {
  readonly root: string
  /** Default: nothing is remembered. */
  readonly memory?: HashMemory
  /** To be asked for users and groups that the root's own files do not have. */
  readonly getent?: Run
  /** Default: what is reserved everywhere. */
  readonly ground?: Ground
}

export function openFiles(options: OpenFilesOptions): FileWriter {
  const walk = new Walk(options.root)
  const mounts = mountsBelow(realpathSync(walk.root))
  const ground = mountedGround(options.ground ?? groundWith(), () => mounts().places)
  const opening = { ...options, ground, mounts, statCacheOf: statCachesBelow(walk.root), parts: { count: 0 } }
  return withMark(walk, newMark(), opening)
}

type Opening = OpenFilesOptions & {
  readonly ground: Ground
  readonly mounts: () => Mounts
  readonly statCacheOf: (paths: readonly AbsolutePath[]) => StatCache
  readonly parts: { count: number }
}

/** One for each list, for as long as the list is kept. */
function statCachesBelow(root: string): Opening['statCacheOf'] {
  const caches = new WeakMap<readonly AbsolutePath[], StatCache>()
  return (paths) => {
    const cache = caches.get(paths) ?? statCache(root, paths)
    caches.set(paths, cache)
    return cache
  }
}

/** What is remembered is written but never believed. */
function forgetful({ memory = noMemory, statCacheOf, ...rest }: Opening): Opening {
  return {
    ...rest,
    memory: { set: (...hashed) => memory.set(...hashed) },
    statCacheOf: (paths) => {
      const cache = statCacheOf(paths)
      cache.forgetAll()
      return cache
    },
  }
}

const noMemory: HashMemory = { set: () => {} }

function withMark(walk: Walk, mark: string, options: Opening): FileWriter {
  const writing: Writing = { walk, mark, ground: options.ground, touched: new Set(), staged: new Map() }
  const reader = readerOf(walk, options)
  return {
    ...reader,
    ...writeMethods(writing),
    // What was there before comes back, whatever it was.
    ...undoMethods({ ...writing, ground: openGround }, reader),
    replaced: formerMethods(writing),
    mark,
    marked: (other) => withMark(walk, other, options),
    part: () => {
      options.parts.count += 1
      return withMark(walk, `${wholeMark(mark)}-${options.parts.count}`, options)
    },
    isKept: (name) => name.startsWith(wholeMark(mark)),
  }
}

function readerOf(walk: Walk, options: Opening): FileReader {
  const read = readMethods(walk, { ...options, memory: options.memory ?? noMemory })
  return {
    ...read,
    statCache: options.statCacheOf,
    parts: (path, take) => partsOf(walk, path, take),
    accounts: accountsOf(read, options.getent),
    withoutMemory: () => readerOf(walk, forgetful(options)),
  }
}
