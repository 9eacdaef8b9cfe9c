// Secrets by name: files of a root-only directory on the host. Values go into rendered content and nowhere else.
import { isUtf8 } from 'node:buffer'
import type { Stats } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf } from '../../shared/errno.ts'
import { identifierSchema } from '../../shared/names.ts'
import {
  FileTooLarge,
  isPrivate,
  NotRegular,
  readRegularBytes,
  statsOfDirectory,
} from '../../shared/platform/regular-file.ts'
import { PlumbError } from '../../shared/problem.ts'
import { describeForeign, foreignForm } from './foreign-content.ts'

export type Secrets = {
  /** Empty when the directory cannot be read. */
  readonly names: ReadonlySet<string>
  /** False: the directory cannot be read, and every `read` gives the reason. */
  readonly isListed: boolean
  /** Where a person puts a value: one file a secret, named after it. */
  readonly directory: string
  /** Without the newline that editors put at the end; never empty. Throws PlumbError `secret-missing` or `secret-exposed`. */
  read(name: string): Promise<string>
}

/** A directory that is not there holds no secret. */
export async function secretsOf(directory: string): Promise<Secrets> {
  const entries = await readdir(directory).catch((error: unknown) =>
    errnoOf(error) === 'ENOENT' ? [] : unreadable(directory, error),
  )
  if (entries instanceof PlumbError)
    return { names: new Set(), isListed: false, directory, read: () => Promise.reject(entries) }
  return {
    names: new Set(entries.filter((name) => identifierSchema.safeParse(name).success)),
    isListed: true,
    directory,
    read: async (name) => readSecret(directory, name),
  }
}

const limitBytes = 64 * 1024

function readSecret(directory: string, name: string): string {
  const path = join(directory, identifierSchema.parse(name))
  refuseExposed(directory, directoryStats(directory), '0700')
  const content = contentOf(path)
  const fault = faultOf(content)
  if (fault !== undefined) throw unusable(path, fault)
  const value = content.toString('utf8').replace(/\r?\n$/, '')
  // What `echo "$UNSET" > file` leaves: a password of no characters would be deployed as one that holds.
  if (value.trim() === '') throw unusable(path, 'it is empty')
  return value
}

/** Why the content is no value: whatever uses the secret would fail much later, and say that the password is wrong. */
function faultOf(content: Buffer): string | undefined {
  const form = foreignForm(content)
  if (form !== undefined) return `it ${describeForeign(form).message}`
  if (!isUtf8(content)) return 'it is not UTF-8 text'
  if (content.includes(0)) return 'it has NUL bytes in it'
  if (content.includes('\ufeff')) return 'it has a byte order mark in it, which would be part of the value'
  return undefined
}

function contentOf(path: string): Buffer {
  try {
    const accept = (stats: Stats) => refuseExposed(path, stats, '0600')
    return readRegularBytes(path, { limitBytes, followsLinks: false, accept })
  } catch (error) {
    if (error instanceof PlumbError) throw error
    if (error instanceof NotRegular)
      throw unusable(path, error.isDirectory ? 'it is a directory' : 'it is not a plain file')
    throw error instanceof FileTooLarge
      ? unusable(path, `it is larger than ${limitBytes} bytes`)
      : unreadable(path, error)
  }
}

function directoryStats(directory: string): Stats {
  try {
    return statsOfDirectory(directory)
  } catch (error) {
    throw unreadable(directory, error)
  }
}

function refuseExposed(path: string, stats: Stats, wanted: string): void {
  const isOwn = stats.uid === 0 || stats.uid === process.getuid?.()
  if (isOwn && isPrivate(stats)) return
  throw new PlumbError({
    code: 'secret-exposed',
    message: `${path} can be read by others than root, so no secret is taken from it.`,
    remedy: `Run: chown root ${path} && chmod ${wanted} ${path}`,
  })
}

function unreadable(path: string, error: unknown): PlumbError {
  const code = errnoOf(error) ?? 'unknown error'
  return unusable(path, code === 'ELOOP' ? 'it is a symlink' : code)
}

function unusable(path: string, reason: string): PlumbError {
  return new PlumbError({
    code: 'secret-missing',
    message: `${path} cannot be read as a secret (${reason}).`,
    remedy: 'Write the value to it as a plain file of owner root and mode 0600.',
  })
}
