// Contents by SHA-256, root-only and bounded: applied content (one side of a drift's diff) and archived content.
import { createHash, type Hash, hash, randomBytes } from 'node:crypto'
import {
  closeSync,
  createReadStream,
  openSync,
  readdirSync,
  statfsSync,
  statSync,
  utimesSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileError } from '../../shared/file-error.ts'
import { type Sha256, sha256Schema } from '../../shared/names.ts'
import {
  makeStateDirectory,
  readIfThere,
  removeIfThere,
  replaceFile,
  settleDurably,
} from '../../shared/platform/durable.ts'
import { PlumbError } from '../../shared/problem.ts'

export type ObjectStore = {
  /** For content that the repository has: not synced. */
  put(bytes: Uint8Array): Sha256
  /** For content that exists nowhere else: stored when `settle` of the batch returns. */
  batch(): ObjectBatch
  /** Undefined when it is missing or its content does not match its name. */
  get(sha256: string): Uint8Array | undefined
  /** Undefined when it is missing. */
  size(sha256: string): number | undefined
  /** The same as a stream, for large content; throws PlumbError at the end when the content does not match its name. */
  parts(sha256: Sha256): AsyncIterable<Uint8Array>
  /**
   * Brings the store within its limit: removes the oldest in no group, then the oldest of the first group, and so on,
   * but never of the last.
   */
  prune(groups: readonly ReadonlySet<string>[]): void
}

/** Contents being written to the store. */
export type ObjectBatch = {
  /** Content of any size, streamed by `read`. */
  add(read: (take: (part: Uint8Array) => void) => Promise<unknown>): Promise<StoredObject>
  /** On disk when it returns. */
  settle(): Promise<void>
  /** Alternative to `settle`: discards everything. */
  drop(): void
}

export type StoredObject = { readonly sha256: Sha256; readonly size: number }

/** Free space that archiving must leave to the host. */
const leftFreeBytes = 16 * 1024 * 1024
/** Leftover of a process that died. */
const abandonedMs = 60 * 60 * 1000

export function objectStore(directory: string, limitBytes = 512 * 1024 * 1024): ObjectStore {
  makeStateDirectory(directory)
  const pathOf = (sha256: string) => join(directory, sha256)
  return {
    put: (bytes) => {
      const sha256 = sha256Schema.parse(hash('sha256', bytes, 'hex'))
      if (!isThere(pathOf(sha256), bytes.length)) replaceFile({ path: pathOf(sha256), content: bytes })
      return sha256
    },
    batch: () => batchIn(directory),
    get: (sha256) => {
      const bytes = sha256Schema.safeParse(sha256).success ? readIfThere(pathOf(sha256)) : undefined
      return bytes !== undefined && hash('sha256', bytes, 'hex') === sha256 ? bytes : undefined
    },
    size: (sha256) =>
      sha256Schema.safeParse(sha256).success ? statSync(pathOf(sha256), { throwIfNoEntry: false })?.size : undefined,
    parts: (sha256) => partsOf(pathOf(sha256), sha256),
    prune: (groups) => prune(directory, groups, limitBytes),
  }
}

function batchIn(directory: string): ObjectBatch {
  const written: { readonly temporary: string; path: string }[] = []
  return {
    add: async (read) => {
      const temporary = join(directory, `${randomBytes(8).toString('hex')}.${process.pid}.new`)
      const one = { temporary, path: temporary }
      written.push(one)
      const digest = createHash('sha256')
      try {
        const size = await writtenTo(temporary, digest, read)
        const sha256 = sha256Schema.parse(digest.digest('hex'))
        one.path = join(directory, sha256)
        return { sha256, size }
      } catch (error) {
        throw fileError(error, temporary, 'writing')
      }
    },
    settle: async () => {
      await settleDurably(written)
      written.length = 0
    },
    drop: () => {
      for (const { temporary } of written.splice(0)) removeIfThere(temporary)
    },
  }
}

async function writtenTo(path: string, digest: Hash, read: Parameters<ObjectBatch['add']>[0]): Promise<number> {
  const fd = openSync(path, 'wx', 0o600)
  let size = 0
  try {
    await read((part) => {
      if (part.length >= leftFreeBytes / 16) refuseToFill(path, part.length)
      for (let from = 0; from < part.length; ) from += writeSync(fd, part, from)
      digest.update(part)
      size += part.length
    })
    return size
  } finally {
    closeSync(fd)
  }
}

/** Large contents come in parts of a mebibyte, so that content is refused before it fills the disk. */
function refuseToFill(path: string, bytes: number): void {
  const { bavail, bsize } = statfsSync(path)
  if (bavail * bsize >= bytes + leftFreeBytes) return
  throw new PlumbError({
    code: 'disk-full',
    message: 'too little space is left on its file system to keep what is about to be replaced.',
    where: { file: path },
    remedy: 'Free some (`df -h` shows how much there is), or move the large file away yourself, then apply again.',
  })
}

async function* partsOf(path: string, sha256: Sha256): AsyncGenerator<Uint8Array> {
  const digest = createHash('sha256')
  try {
    for await (const part of createReadStream(path, { highWaterMark: 1024 * 1024 })) {
      if (!(part instanceof Uint8Array)) continue
      digest.update(part)
      yield part
    }
  } catch (error) {
    throw fileError(error, path, 'reading')
  }
  if (digest.digest('hex') === sha256) return
  throw new PlumbError({
    code: 'state-corrupt',
    message: 'the content that was kept is no longer what it was.',
    where: { file: path },
    remedy: 'Check the disk; another version may still be whole (plumb restore PATH lists them).',
  })
}

/** Updates the mtime, so that reused content counts as young. */
function isThere(path: string, size: number): boolean {
  if (statSync(path, { throwIfNoEntry: false })?.size !== size) return false
  const now = new Date()
  utimesSync(path, now, now)
  return true
}

function prune(directory: string, groups: readonly ReadonlySet<string>[], limitBytes: number): void {
  const objects = readdirSync(directory).flatMap((name) => {
    const stat = statSync(join(directory, name), { throwIfNoEntry: false })
    return stat === undefined ? [] : [{ name, size: stat.size, at: stat.mtimeMs, group: groupOf(name, groups) }]
  })
  let bytes = objects.reduce((sum, { size }) => sum + size, 0)
  for (const { name, size, at, group } of objects.sort((one, other) => one.group - other.group || one.at - other.at)) {
    const isAbandoned = name.endsWith('.new') && Date.now() - at > abandonedMs
    if (!isAbandoned && (bytes <= limitBytes || group === groups.length - 1)) continue
    removeIfThere(join(directory, name))
    bytes -= size
  }
}

/** -1 when in no group. */
function groupOf(name: string, groups: readonly ReadonlySet<string>[]): number {
  return groups.findLastIndex((group) => group.has(name))
}
