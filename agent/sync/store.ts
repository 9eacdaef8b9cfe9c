// The directories of the copy: `current` links to a complete bare repository, and is replaced in one rename.
import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs'
import { mkdir, readdir, rename, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { replaceDurably, syncDirectories } from '../../shared/platform/durable.ts'

export type Store = {
  /** The repository that `current` leads to; undefined before the first clone. */
  current(): string | undefined
  /** A new directory for a clone, beside the current one. */
  incoming(): Promise<string>
  /**
   * Makes a finished clone the current one and returns its path. Keeps the one before it for present readers, removes
   * older ones.
   */
  activate(incoming: string): Promise<string>
  /** Removes leftovers of syncs that were killed or ran out of disk; only under the lock. */
  removeUnfinished(): Promise<void>
}

export function createStore(directory: string): Store {
  const pointer = join(directory, 'current')
  const currentName = (): string | undefined => {
    try {
      return readlinkSync(pointer)
    } catch {
      return undefined
    }
  }
  return {
    current: () => {
      const name = currentName()
      return name === undefined ? undefined : join(directory, name)
    },
    incoming: async () => {
      await mkdir(directory, { recursive: true, mode: 0o700 })
      return join(directory, `incoming-${randomUUID()}`)
    },
    activate: async (incoming) => {
      const before = currentName()
      const name = `copy-${randomUUID()}`
      await rename(incoming, join(directory, name))
      const next = join(directory, `current-${randomUUID()}`)
      await symlink(name, next)
      await rename(next, pointer)
      await syncDirectories([pointer])
      await removeAll(directory, (entry) => entry.startsWith('copy-') && entry !== name && entry !== before)
      return join(directory, name)
    },
    removeUnfinished: async () => {
      await removeAll(directory, (entry) => entry.startsWith('incoming-') || entry.startsWith('current-'))
      const isHalf = (entry: string) => entry.startsWith('tmp_') || entry.endsWith('.new')
      for (const place of ['', 'objects', 'objects/pack']) await removeAll(join(directory, 'current', place), isHalf)
    },
  }
}

/**
 * Seals a copy that was verified while its packs had these sizes, so that a few stats suffice later. A copy that is
 * found damaged nevertheless is unsealed, and verified in full by the next sync.
 */
export async function seal(copy: string): Promise<void> {
  await replaceDurably([{ path: join(copy, sealName), content: sealOf(packSizes(copy)) }])
}

export function unseal(copy: string): void {
  rmSync(join(copy, sealName), { force: true })
}

/** The number of packs; undefined when the copy differs from its seal. */
export function sealedPacks(copy: string): number | undefined {
  try {
    const sealed = readFileSync(join(copy, sealName), 'utf8')
    const now = packSizes(copy)
    return sealed === sealOf(now) ? now.filter(([name]) => name.endsWith('.pack')).length : undefined
  } catch {
    return undefined
  }
}

const sealName = 'plumb-seal.json'

function packSizes(copy: string): readonly (readonly [string, number])[] {
  const packs = join(copy, 'objects/pack')
  const names = readdirSync(packs).filter((name) => /\.(?:pack|idx)$/.test(name))
  return names.sort().map((name) => [name, statSync(join(packs, name)).size])
}

function sealOf(sizes: ReturnType<typeof packSizes>): string {
  return `${JSON.stringify(sizes)}\n`
}

async function removeAll(directory: string, isOld: (name: string) => boolean): Promise<void> {
  const names = await readdir(directory).catch(() => [])
  // The git of a killed agent may still write there for a moment.
  const whole = { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }
  for (const name of names.filter(isOld)) await rm(join(directory, name), whole)
}
