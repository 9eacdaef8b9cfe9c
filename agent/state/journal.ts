// The journal of an apply: JSON lines, appended and synced before the action they describe. A line cut by a crash is ignored.
import { closeSync, constants, existsSync, fdatasync, ftruncateSync, openSync, writeSync } from 'node:fs'
import { promisify } from 'node:util'
import { fileError } from '../../shared/file-error.ts'
import { readIfThere, removeDurably, syncDirectories } from '../../shared/platform/durable.ts'

const fdatasyncAsync = promisify(fdatasync)

export type JournalFile = {
  /** On disk when it returns. */
  append(record: object): Promise<void>
  /** All records, by any process. */
  read(): readonly unknown[]
  /** This process has appended to it, so no crash happened since. */
  isOwn(): boolean
  /** True also when no record is readable, because a crash cut the first line. */
  isThere(): boolean
  remove(): Promise<void>
}

export function journalFile(path: string): JournalFile {
  let open: { readonly fd: number; length: number } | undefined
  return {
    append: async (record) => {
      try {
        open ??= await opened(path)
        open.length = await appended(open, `${JSON.stringify(record)}\n`)
      } catch (error) {
        throw fileError(error, path, 'writing')
      }
    },
    read: () => (readIfThere(path)?.toString('utf8') ?? '').split('\n').flatMap(parsed),
    isOwn: () => open !== undefined,
    isThere: () => existsSync(path),
    remove: async () => {
      if (open !== undefined) closeSync(open.fd)
      open = undefined
      await removeDurably([path])
    },
  }
}

async function opened(path: string): Promise<{ fd: number; length: number }> {
  const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND, 0o600)
  await syncDirectories([path])
  // The cut line of an earlier process must not become the beginning of our first line.
  const length = (readIfThere(path)?.lastIndexOf('\n') ?? -1) + 1
  ftruncateSync(fd, length)
  return { fd, length }
}

/** Returns the new length. A record that a full disk cut short is truncated, so that the next one starts on its own line. */
async function appended(
  { fd, length }: { readonly fd: number; readonly length: number },
  line: string,
): Promise<number> {
  const bytes = Buffer.from(line)
  try {
    let written = 0
    while (written < bytes.length) written += writeSync(fd, bytes, written)
    await fdatasyncAsync(fd)
  } catch (error) {
    ftruncateSync(fd, length)
    throw error
  }
  return length + bytes.length
}

function parsed(line: string): readonly unknown[] {
  try {
    return line === '' ? [] : [JSON.parse(line)]
  } catch {
    return []
  }
}
