// Files that a person gave - secrets, tokens, keys, certificates - read at once: a FIFO or a device in the place of one would hold the
// whole process.
import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats } from 'node:fs'

export type RegularFile = { readonly text: string; readonly mode: number }

export type ReadOptions = {
  /** Default 1 MiB, far above any token, key or certificate chain. */
  readonly limitBytes?: number
  /** Default true; else a symlink throws ELOOP. */
  readonly followsLinks?: boolean
  /** Throws where the file must not be read. */
  readonly accept?: (stats: Stats) => void
}

export class NotRegular extends Error {
  override readonly name = 'NotRegular'
  readonly isDirectory: boolean

  constructor(path: string, stats: Stats) {
    super(`${path} is no regular file`)
    this.isDirectory = stats.isDirectory()
  }
}

export class FileTooLarge extends Error {
  override readonly name = 'FileTooLarge'
}

/** Throws where readFileSync does, and for what is no regular file or is too large. Follows links. */
export function readRegularFile(path: string): RegularFile {
  let mode = 0
  const accept = (stats: Stats) => {
    mode = stats.mode
  }
  return { text: readRegularBytes(path, { accept }).toString('utf8'), mode }
}

/** Throws `NotRegular`, `FileTooLarge`, and what `accept` throws. */
export function readRegularBytes(
  path: string,
  { limitBytes = 1024 * 1024, followsLinks = true, accept }: ReadOptions = {},
): Buffer {
  return withOpen(path, followsLinks ? 0 : constants.O_NOFOLLOW, (file) => {
    const stats = fstatSync(file)
    if (!stats.isFile()) throw new NotRegular(path, stats)
    accept?.(stats)
    if (stats.size > limitBytes) throw new FileTooLarge(`${path} is larger than ${limitBytes} bytes`)
    return readFileSync(file)
  })
}

/** Throws where it is no directory, or may not be read. Follows no link. */
export function statsOfDirectory(path: string): Stats {
  return withOpen(path, constants.O_DIRECTORY | constants.O_NOFOLLOW, (directory) => fstatSync(directory))
}

export function isPrivate({ mode }: { readonly mode: number }): boolean {
  return (mode & 0o077) === 0
}

/** Without O_NONBLOCK the open itself would wait for a FIFO's writer. */
function withOpen<Result>(path: string, flags: number, read: (file: number) => Result): Result {
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY | flags)
  try {
    return read(file)
  } finally {
    closeSync(file)
  }
}
