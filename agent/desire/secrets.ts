// Secrets by name: files of a root-only directory on the host. Values go into rendered content and nowhere else.
import { isUtf8 } from 'node:buffer'
import { constants } from 'node:fs'
import { type FileHandle, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { identifierSchema } from '../../shared/names.ts'
import { PlumbError } from '../../shared/problem.ts'

export type Secrets = {
  readonly names: ReadonlySet<string>
  /** Where a person puts a value: one file a secret, named after it. */
  readonly directory: string
  /** Without the newline that editors put at the end. Throws PlumbError `secret-missing` or `secret-exposed`. */
  read(name: string): Promise<string>
}

/** A directory that is not there holds no secret. */
export async function secretsOf(directory: string): Promise<Secrets> {
  const entries = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw unreadable(directory, error)
  })
  return {
    names: new Set(entries.filter((name) => identifierSchema.safeParse(name).success)),
    directory,
    read: (name) => readSecret(directory, name),
  }
}

const limitBytes = 64 * 1024

async function readSecret(directory: string, name: string): Promise<string> {
  const path = join(directory, identifierSchema.parse(name))
  await withOpen(directory, constants.O_DIRECTORY, async (above) => {
    refuseExposed(directory, await above.stat(), '0700')
  })
  const content = await withOpen(path, 0, async (file) => {
    const stat = await file.stat()
    refuseExposed(path, stat, '0600')
    if (!stat.isFile() || stat.size > limitBytes)
      throw unusable(path, `not a plain file of at most ${limitBytes} bytes`)
    return await file.readFile()
  })
  if (!isUtf8(content)) throw unusable(path, 'not UTF-8 text')
  return content.toString('utf8').replace(/\r?\n$/, '')
}

/** Without O_NONBLOCK a FIFO would hold a thread of the pool for ever. */
async function withOpen<Value>(
  path: string,
  flags: number,
  read: (file: FileHandle) => Promise<Value>,
): Promise<Value> {
  const careful = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
  const file = await open(path, careful | flags).catch((error: unknown) => Promise.reject(unreadable(path, error)))
  try {
    return await read(file)
  } finally {
    await file.close()
  }
}

function refuseExposed(
  path: string,
  { mode, uid }: { readonly mode: number; readonly uid: number },
  wanted: string,
): void {
  const own = uid === 0 || uid === process.getuid?.()
  if (own && (mode & 0o077) === 0) return
  throw new PlumbError({
    code: 'secret-exposed',
    message: `${path} can be read by others than root, so no secret is taken from it.`,
    remedy: `Run: chown root ${path} && chmod ${wanted} ${path}`,
  })
}

function unreadable(path: string, error: unknown): PlumbError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
  return unusable(path, code === 'ELOOP' ? 'a symlink' : code)
}

function unusable(path: string, reason: string): PlumbError {
  return new PlumbError({
    code: 'secret-missing',
    message: `${path} cannot be read as a secret (${reason}).`,
    remedy: 'Write the value to it as a plain file of owner root and mode 0600.',
  })
}
