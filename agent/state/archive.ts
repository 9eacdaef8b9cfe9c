// The archive: index of content that applies overwrote or removed and the repository never had. The content is in the
// object store. Newest last, bounded.
import { renameSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { serviceNameSchema, sha256Schema } from '../../shared/names.ts'
import { readIfThere, replaceDurably } from '../../shared/platform/durable.ts'

const ownerSchema = { uid: z.number(), gid: z.number() }

const wasSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('file'), sha256: sha256Schema, size: z.number(), mode: z.number(), ...ownerSchema }),
  z.object({ type: z.literal('symlink'), target: z.string(), ...ownerSchema }),
  /** Content that was not archived, with its size and the reason, so that the loss is reported. */
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
  /** Path on the host; escaped when it is not UTF-8. */
  path: z.string(),
  isEscaped: z.boolean().exactOptional(),
  /** `restored`: replaced by `plumb restore`. */
  why: z.enum(['overwritten', 'removed', 'purged', 'restored']),
  was: wasSchema,
})

/** The former format: content only. */
const contentOnlySchema = z
  .object({ at: z.string(), service: serviceNameSchema, path: z.string(), sha256: sha256Schema })
  .transform(({ sha256, ...where }): Archived => {
    // Mode and owner are unknown: readable by root only until a person changes it.
    const was = { type: 'file', sha256, size: 0, mode: 0o600, uid: 0, gid: 0 } as const
    return { ...where, why: 'overwritten', was }
  })

const entrySchema = z.union([archivedSchema, contentOnlySchema])

export type Archived = Readonly<z.infer<typeof archivedSchema>>
export type Was = Archived['was']

export type ArchiveStore = {
  list(): readonly Archived[]
  /** On disk when it returns; the contents must be in the object store already. Drops the oldest beyond the limits. */
  add(entries: readonly Archived[]): Promise<void>
}

/** Limits of one file, and of one apply of a service. Larger content is reported, not archived. */
export const archivedFileLimitBytes = 128 * 1024 * 1024
export const archiveLimitBytes = 256 * 1024 * 1024
const listLimit = 5000

export function archiveStore(directory: string): ArchiveStore {
  const path = join(directory, 'displaced.json')
  const list = () => parse(readIfThere(path)) ?? []
  return {
    list,
    add: async (entries) => {
      if (entries.length === 0) return
      // The damaged list is kept, so that a person can still find the contents.
      if (parse(readIfThere(path)) === undefined) renameSync(path, `${path}.corrupt`)
      const content = JSON.stringify(youngest([...list(), ...entries].slice(-listLimit)))
      await replaceDurably([{ path, content }])
    },
  }
}

export function archivedContents(entries: readonly Archived[]): ReadonlySet<string> {
  return new Set(entries.flatMap(({ was }) => (was.type === 'file' ? [was.sha256] : [])))
}

function youngest(entries: readonly Archived[]): readonly Archived[] {
  let bytes = 0
  const first = entries.findLastIndex(({ was }) => {
    bytes += was.type === 'file' ? was.size : 0
    return bytes > archiveLimitBytes
  })
  return entries.slice(first + 1)
}

/** Undefined when it cannot be read. */
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

/** An unreadable entry is skipped. */
function known(entry: unknown): readonly Archived[] {
  const parsed = entrySchema.safeParse(entry)
  return parsed.success ? [parsed.data] : []
}
