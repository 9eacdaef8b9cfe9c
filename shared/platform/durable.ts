// Writing in a directory where no other user can write: whole files or nothing, and on disk when that is promised.
import {
  closeSync,
  existsSync,
  fsync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { errnoOf } from '../errno.ts'
import { fileError } from '../file-error.ts'

const fsyncAsync = promisify(fsync)

/** Open files are limited. */
const syncedAtOnce = 64

/** `mode`: default 0600. */
export type NewFile = { readonly path: string; readonly content: string | Uint8Array; readonly mode?: number }

/** Root-only, with its parents. */
export function makeStateDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw fileError(error, path, 'writing')
  }
}

export function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw fileError(error, path, 'reading')
  }
}

/** Replaces the file at once; after a power cut it may be the old one, or empty. For what can be computed again. */
export function replaceFile(file: NewFile): void {
  const { path } = file
  try {
    renameSync(temporary(file), path)
  } catch (error) {
    throw fileError(error, path, 'writing')
  }
}

/** Replaces files; when it returns they survive a power cut. All are written before the first is synced, which is faster. */
export async function replaceDurably(files: readonly NewFile[]): Promise<void> {
  await settleDurably(files.map((file) => ({ temporary: temporary(file), path: file.path })))
}

/** The same for what was written to temporary names already. */
export async function settleDurably(
  files: readonly { readonly temporary: string; readonly path: string }[],
): Promise<void> {
  for (let start = 0; start < files.length; start += syncedAtOnce)
    await Promise.all(files.slice(start, start + syncedAtOnce).map(({ temporary, path }) => settleOne(temporary, path)))
  await syncDirectories(files.map(({ path }) => path))
}

async function settleOne(temporary: string, path: string): Promise<void> {
  try {
    await syncPath(temporary)
    renameSync(temporary, path)
  } catch (error) {
    throw fileError(error, path, 'writing')
  }
}

export async function removeDurably(paths: readonly string[]): Promise<void> {
  for (const path of paths) removeIfThere(path)
  await syncDirectories(paths)
}

export function removeIfThere(path: string): void {
  try {
    unlinkSync(path)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw fileError(error, path, 'writing')
  }
}

/** What writers left that were killed before they could put it in place; what a living one writes stays. */
export function sweepUnfinished(directory: string): void {
  for (const name of namesIn(directory)) {
    const writer = /^(?:.*\.)?(\d+)\.(?:new|mine)$/.exec(name)?.[1]
    if (writer !== undefined && !existsSync(`/proc/${writer}`)) removeIfThere(join(directory, name))
  }
}

export async function syncDirectories(paths: readonly string[]): Promise<void> {
  await Promise.all([...new Set(paths.map((path) => dirname(path)))].map(syncPath))
}

/** A name of this process's own: writers hold the apply's lock or may lose to each other. `sweepUnfinished` knows it by its form. */
function temporary({ path, content, mode = 0o600 }: NewFile): string {
  const name = `${path}.${process.pid}.new`
  try {
    writeFileSync(name, content, { mode })
  } catch (error) {
    removeIfThere(name)
    throw fileError(error, path, 'writing')
  }
  return name
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}

async function syncPath(path: string): Promise<void> {
  const fd = openSync(path, 'r')
  try {
    await fsyncAsync(fd)
  } finally {
    closeSync(fd)
  }
}
