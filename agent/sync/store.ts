// The directories of the copy: `current` leads to one whole bare repository, which is replaced by another in one rename.
import { randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, readlink, rename, rm, stat, symlink, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { replaceDurably, syncDirectories } from '../state/durable.ts'

export type Store = {
  /** The repository that `current` leads to; undefined before the first clone. */
  current(): Promise<string | undefined>
  /** A fresh place for a clone, below the same directory. */
  incoming(): Promise<string>
  /** Makes a finished clone the current one and says where it is now. The one before it stays for whoever is still reading it, older ones go. */
  adopt(incoming: string): Promise<string>
  /** Removes what killed syncs left behind; only under the lock. */
  tidy(): Promise<void>
}

export function createStore(directory: string): Store {
  const pointer = join(directory, 'current')
  const currentName = () => readlink(pointer).catch(() => undefined)
  return {
    current: async () => {
      const name = await currentName()
      return name === undefined ? undefined : join(directory, name)
    },
    incoming: async () => {
      await mkdir(directory, { recursive: true, mode: 0o700 })
      return join(directory, `incoming-${randomUUID()}`)
    },
    adopt: async (incoming) => {
      const before = await currentName()
      const name = `copy-${randomUUID()}`
      await rename(incoming, join(directory, name))
      const next = join(directory, `current-${randomUUID()}`)
      await symlink(name, next)
      await rename(next, pointer)
      await syncDirectories([pointer])
      await removeAll(directory, (entry) => entry.startsWith('copy-') && entry !== name && entry !== before)
      return join(directory, name)
    },
    tidy: () => removeAll(directory, (entry) => entry.startsWith('incoming-') || entry.startsWith('current-')),
  }
}

/**
 * A sealed copy was found readable when its packs had these sizes: whether they still have is told by a few stats. What is
 * found damaged in spite of that is unsealed, and so looked at in full by the next sync.
 */
export async function seal(copy: string): Promise<void> {
  await replaceDurably([{ path: join(copy, sealName), content: `${JSON.stringify(await packSizes(copy))}\n` }])
}

export async function unseal(copy: string): Promise<void> {
  await unlink(join(copy, sealName)).catch(() => undefined)
}

/** The number of packs, or undefined when the copy is not as it was sealed. */
export async function sealedPacks(copy: string): Promise<number | undefined> {
  const text = await readFile(join(copy, sealName), 'utf8').catch(() => undefined)
  const parsed = sizesSchema.safeParse(text === undefined ? undefined : jsonOf(text))
  if (!parsed.success) return undefined
  const now = await packSizes(copy).catch(() => undefined)
  const same = JSON.stringify(now) === JSON.stringify(parsed.data)
  return same ? parsed.data.filter(([name]) => name.endsWith('.pack')).length : undefined
}

const sealName = 'plumb-seal.json'
const sizesSchema = z.array(z.tuple([z.string(), z.number()]))

async function packSizes(copy: string): Promise<z.infer<typeof sizesSchema>> {
  const packs = join(copy, 'objects/pack')
  const names = (await readdir(packs)).filter((name) => /\.(?:pack|idx)$/.test(name)).sort()
  return await Promise.all(
    names.map(async (name): Promise<[string, number]> => [name, (await stat(join(packs, name))).size]),
  )
}

async function removeAll(directory: string, isOld: (name: string) => boolean): Promise<void> {
  const names = await readdir(directory).catch(() => [])
  for (const name of names.filter(isOld)) await rm(join(directory, name), { recursive: true, force: true })
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
