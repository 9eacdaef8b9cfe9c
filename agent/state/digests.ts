// SHA-256 and size of git objects by their id, so that loading a revision reads only its new blobs.
import { z } from 'zod'
import { sha256Schema } from '../../shared/names.ts'
import { readIfThere, replaceFile } from '../../shared/platform/durable.ts'
import { foreignForms } from '../desire/foreign-content.ts'

const digestSchema = z.object({
  sha256: sha256Schema,
  size: z.number().int().nonnegative(),
  foreign: z.enum(foreignForms).exactOptional(),
  meanings: z.record(z.string(), sha256Schema).exactOptional(),
})

/** Version 2: every blob was scanned for foreign content. Entries of an older agent are read again. */
const fileSchema = z.object({ version: z.literal(2), digests: z.record(z.string(), digestSchema) })

export type StoredDigest = z.infer<typeof digestSchema>

export type DigestStore = {
  /** Empty when the file is missing or unreadable. */
  read(): ReadonlyMap<string, StoredDigest>
  /** Replaces the file; not synced, because it can be computed again. */
  write(digests: ReadonlyMap<string, StoredDigest>): void
}

/** Not held in memory: it is needed once per revision. */
export function digestStore(path: string): DigestStore {
  return {
    read: () => parse(readIfThere(path)),
    write: (digests) => {
      const content = JSON.stringify({ version: 2, digests: Object.fromEntries(digests) })
      if (readIfThere(path)?.equals(Buffer.from(content)) !== true) replaceFile({ path, content })
    },
  }
}

function parse(bytes: Buffer | undefined): ReadonlyMap<string, StoredDigest> {
  try {
    if (bytes === undefined) return new Map()
    return new Map(Object.entries(fileSchema.parse(JSON.parse(bytes.toString('utf8'))).digests))
  } catch {
    return new Map()
  }
}
