// Contents by their SHA-256, root-only and bounded: what was applied (one side of a drift's diff), and what an apply overwrote.
import { hash } from 'node:crypto'
import { readdirSync, statSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { type Sha256, sha256Schema } from '../../shared/names.ts'
import { makeStateDirectory, readIfThere, removeIfThere, replaceDurably, replaceFile } from './durable.ts'

export type ObjectStore = {
  /** Can be had again from the repository: not synced. */
  put(bytes: Uint8Array): Sha256
  /** Exists nowhere else: on disk when it returns. */
  putDurably(bytes: Uint8Array): Promise<Sha256>
  /** Undefined when it is not there, or no longer what its name says. */
  get(sha256: string): Uint8Array | undefined
  /** Removes the oldest that are not in `keep` until the store is within its limit, then the oldest at all. */
  prune(keep: ReadonlySet<string>): void
}

/** Larger contents are not kept: their diff would be cut anyway. */
export const objectLimitBytes = 16 * 1024 * 1024

export function objectStore(directory: string, limitBytes = 512 * 1024 * 1024): ObjectStore {
  makeStateDirectory(directory)
  const pathOf = (sha256: string) => join(directory, sha256)
  return {
    put: (bytes) => {
      const sha256 = sha256Schema.parse(hash('sha256', bytes, 'hex'))
      if (!isThere(pathOf(sha256), bytes.length)) replaceFile({ path: pathOf(sha256), content: bytes })
      return sha256
    },
    putDurably: async (bytes) => {
      const sha256 = sha256Schema.parse(hash('sha256', bytes, 'hex'))
      await replaceDurably([{ path: pathOf(sha256), content: bytes }])
      return sha256
    },
    get: (sha256) => {
      const bytes = sha256Schema.safeParse(sha256).success ? readIfThere(pathOf(sha256)) : undefined
      return bytes !== undefined && hash('sha256', bytes, 'hex') === sha256 ? bytes : undefined
    },
    prune: (keep) => prune(directory, keep, limitBytes),
  }
}

/** Freshened, so that what is used again counts as young. */
function isThere(path: string, size: number): boolean {
  if (statSync(path, { throwIfNoEntry: false })?.size !== size) return false
  const now = new Date()
  utimesSync(path, now, now)
  return true
}

function prune(directory: string, keep: ReadonlySet<string>, limitBytes: number): void {
  const objects = readdirSync(directory).flatMap((name) => {
    const stat = statSync(join(directory, name), { throwIfNoEntry: false })
    return stat === undefined ? [] : [{ name, size: stat.size, at: stat.mtimeMs, kept: keep.has(name) }]
  })
  let bytes = objects.reduce((sum, { size }) => sum + size, 0)
  for (const { name, size } of objects.sort(
    (one, other) => Number(one.kept) - Number(other.kept) || one.at - other.at,
  )) {
    if (bytes <= limitBytes) return
    removeIfThere(join(directory, name))
    bytes -= size
  }
}
