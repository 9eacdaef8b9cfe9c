// What applies overwrote or removed that the repository never had: an index into the object store, newest last, bounded.
import { renameSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { serviceNameSchema, sha256Schema } from '../../shared/names.ts'
import { readIfThere, replaceDurably } from '../../shared/platform/durable.ts'

const ownerSchema = { uid: z.number(), gid: z.number() }

const wasSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('file'), sha256: sha256Schema, size: z.number(), mode: z.number(), ...ownerSchema }),
  z.object({ type: z.literal('symlink'), target: z.string(), ...ownerSchema }),
  /** So that nothing is lost in silence: how much of what was there is not in the store, and why. */
  z.object({
    type: z.literal('not-kept'),
    size: z.number(),
    files: z.number(),
    why: z.enum(['too-large', 'too-much', 'too-many']),
  }),
])

const archivedSchema = z.object({
  /** ISO 8601. */
  at: z.string(),
  service: serviceNameSchema,
  /** As on the host; of what was not UTF-8, as it is shown. */
  path: z.string(),
  isEscaped: z.boolean().exactOptional(),
  /** `restored`: replaced by `plumb restore`. */
  why: z.enum(['overwritten', 'removed', 'purged', 'restored']),
  was: wasSchema,
})

/** The former format: content alone. */
const contentOnlySchema = z
  .object({ at: z.string(), service: serviceNameSchema, path: z.string(), sha256: sha256Schema })
  .transform(({ sha256, ...where }): Archived => {
    // Nobody but root until a person says otherwise.
    const was = { type: 'file', sha256, size: 0, mode: 0o600, uid: 0, gid: 0 } as const
    return { ...where, why: 'overwritten', was }
  })

const entrySchema = z.union([archivedSchema, contentOnlySchema])

export type Archived = Readonly<z.infer<typeof archivedSchema>>
export type Was = Archived['was']

export type ArchiveStore = {
  list(): readonly Archived[]
  /** On disk when it returns; their contents must be in the object store already. The oldest go when there are too many. */
  add(displaced: readonly Archived[]): Promise<void>
}

/** One file, and all that one apply of a service displaces, may be so large; what is larger is told, not kept. */
export const archivedFileLimitBytes = 128 * 1024 * 1024
export const archiveLimitBytes = 256 * 1024 * 1024
const listLimit = 5000

export function archiveStore(directory: string): ArchiveStore {
  const path = join(directory, 'displaced.json')
  const list = () => parse(readIfThere(path)) ?? []
  return {
    list,
    add: async (displaced) => {
      if (displaced.length === 0) return
      // What is in the store can still be found by who reads the damaged list.
      if (parse(readIfThere(path)) === undefined) renameSync(path, `${path}.corrupt`)
      const content = JSON.stringify(youngest([...list(), ...displaced].slice(-listLimit)))
      await replaceDurably([{ path, content }])
    },
  }
}

export function archivedContents(displaced: readonly Archived[]): ReadonlySet<string> {
  return new Set(displaced.flatMap(({ was }) => (was.type === 'file' ? [was.sha256] : [])))
}

function youngest(displaced: readonly Archived[]): readonly Archived[] {
  let bytes = 0
  const first = displaced.findLastIndex(({ was }) => {
    bytes += was.type === 'file' ? was.size : 0
    return bytes > archiveLimitBytes
  })
  return displaced.slice(first + 1)
}

/** Undefined: it cannot be read. */
function parse(bytes: Buffer | undefined): readonly Archived[] | undefined {
  try {
    return z
      .array(z.unknown())
      .parse(JSON.parse(bytes?.toString('utf8') ?? '[]'))
      .flatMap(known)
  } catch {
    return undefined
  }
}

/** One that cannot be read hides no other. */
function known(entry: unknown): readonly Archived[] {
  const parsed = entrySchema.safeParse(entry)
  return parsed.success ? [parsed.data] : []
}
