// Opens the files below a root for the stages: puts walking, reading, writing and undoing together.
import type { FileReader, FileWriter, HashMemory } from './files.ts'
import { accountsOf } from './files-accounts.ts'
import { formerMethods, partsOf } from './files-parts.ts'
import { readMethods } from './files-read.ts'
import { undoMethods } from './files-undo.ts'
import { Walk } from './files-walk.ts'
import { writeMethods } from './files-write.ts'
import { newMark, type Writing, wholeMark } from './files-writing.ts'
import type { Run } from './run.ts'

export type OpenFilesOptions = {
  readonly root: string
  /** Default: nothing is remembered. */
  readonly memory?: HashMemory
  /** To be asked for users and groups that the root's own files do not have. */
  readonly getent?: Run
}

export function openFiles(options: OpenFilesOptions): FileWriter {
  return withMark(new Walk(options.root), newMark(), { ...options, parts: { count: 0 } })
}

type Opening = OpenFilesOptions & { readonly parts: { count: number } }

/** A memory that is written but never believed. */
function forgetful(memory: HashMemory): HashMemory {
  return { get: () => undefined, set: (...hashed) => memory.set(...hashed) }
}

const noMemory: HashMemory = { get: () => undefined, set: () => {} }

function withMark(walk: Walk, mark: string, options: Opening): FileWriter {
  const writing: Writing = { walk, mark, touched: new Set(), staged: new Map() }
  const reader = readerOf(walk, options.memory ?? noMemory, options.getent)
  return {
    ...reader,
    ...writeMethods(writing),
    ...undoMethods(writing, reader),
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

function readerOf(walk: Walk, memory: HashMemory, getent: Run | undefined): FileReader {
  const read = readMethods(walk, memory)
  return {
    ...read,
    parts: (path, take) => partsOf(walk, path, take),
    accounts: accountsOf(read, getent),
    withoutMemory: () => readerOf(walk, forgetful(memory), getent),
  }
}
