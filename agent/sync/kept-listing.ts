// The listing and the parsed texts of one revision, cached in a file, so that a check at an unchanged revision starts
// no git and unpacks nothing.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { type Revision, revisionSchema } from '../../shared/names.ts'
import { replaceFile } from '../../shared/platform/durable.ts'
import { parsedEntries, type TreeEntry } from '../../shared/repository/tree.ts'

export type KeptListing = {
  readonly entries: readonly TreeEntry[]
  /** By object id; may lack some of the parsed texts. */
  readonly texts: ReadonlyMap<string, Uint8Array>
}

/** Undefined when none is cached for this revision, or the file is damaged. */
export function readKeptListing(path: string, revision: Revision): KeptListing | undefined {
  const text = textAt(path)
  const end = text.indexOf('\n')
  const [checksum, of] = text.slice(0, end).split(' ')
  const body = text.slice(end + 1)
  if (of !== revision || checksum !== checksumOf(body)) return undefined
  const kept = keptSchema.safeParse(JSON.parse(body))
  if (!kept.success || kept.data.revision !== revision) return undefined
  const texts = Object.entries(kept.data.texts).map(([oid, base64]) => [oid, Buffer.from(base64, 'base64')] as const)
  return {
    entries: kept.data.entries.map(([kind, oid, path, size]) => ({
      path,
      kind,
      oid,
      ...(size === null ? {} : { size }),
    })),
    texts: new Map(texts),
  }
}

/** Best effort: without it the next check is only slower. */
export function writeKeptListing(path: string, revision: Revision, { entries, texts }: KeptListing): void {
  const body = JSON.stringify({
    revision,
    entries: entries.map(({ path, kind, oid, size = null }) => [kind, oid, path, size]),
    texts: Object.fromEntries([...texts].map(([oid, bytes]) => [oid, Buffer.from(bytes).toString('base64')])),
  })
  try {
    replaceFile({ path, content: `${checksumOf(body)} ${revision}\n${body}` })
  } catch {
    // A full disk is reported by writes that must succeed.
  }
}

/** Texts worth caching: those that every pass parses, if they are small. */
export async function keepableTexts(
  entries: readonly TreeEntry[],
  readMany: (oids: readonly string[]) => Promise<readonly Uint8Array[]>,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const oids = [...new Set(parsedEntries(entries).map(({ oid }) => oid))]
  const bytes = await readMany(oids)
  const small = oids.flatMap((oid, index) => {
    const text = bytes[index]
    return text === undefined || text.byteLength > 256 * 1024 ? [] : [[oid, text] as const]
  })
  return new Map(small)
}

const keptSchema = z.object({
  revision: revisionSchema,
  entries: z.array(
    z.tuple([
      z.enum(['file', 'executable', 'symlink', 'submodule']),
      z.string(),
      z.string(),
      z.number().int().nullable(),
    ]),
  ),
  texts: z.record(z.string(), z.string()),
})

function textAt(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function checksumOf(body: string): string {
  return createHash('sha256').update(body).digest('hex')
}
