// Reads one revision from a copy on this host; damage that is found is recorded for the next sync.
import type { Revision } from '../../shared/names.ts'
import { PlumbError } from '../../shared/problem.ts'
import type { TreeEntry } from '../../shared/repository/tree.ts'
import { type KeptListing, keepableTexts, readKeptListing, writeKeptListing } from './kept-listing.ts'
import type { RevisionReader } from './revision.ts'
import type { Objects } from './transport.ts'

export type ReaderOptions = {
  readonly revision: Revision
  readonly objects: Objects
  /** Where its listing is kept; undefined for a revision that is looked at once. */
  readonly listing: string | undefined
  readonly onDamage: () => void
}

export function createReader({ revision, objects, listing, onDamage }: ReaderOptions): RevisionReader {
  // Asked for again at the next revision at the earliest: until then memory has better uses.
  let known: WeakRef<Promise<KeptListing>> | undefined
  const noted = async <Result>(reading: Promise<Result>): Promise<Result> => {
    try {
      return await reading
    } catch (error) {
      if (error instanceof PlumbError && error.code === 'repository-corrupt') onDamage()
      throw error
    }
  }
  const list = async (): Promise<KeptListing> => {
    const kept = listing === undefined ? undefined : readKeptListing(listing, revision)
    if (kept !== undefined) return kept
    const entries = await withSizes(await objects.entries(revision), objects)
    const made = { entries, texts: await keepableTexts(entries, objects.readMany) }
    if (listing !== undefined) writeKeptListing(listing, revision, made)
    return made
  }
  const listed = (): Promise<KeptListing> => {
    const listing =
      known?.deref() ??
      noted(list()).catch((error) => {
        known = undefined
        throw error
      })
    known = new WeakRef(listing)
    return listing
  }
  const readMany = async (oids: readonly string[]): Promise<readonly Uint8Array[]> => {
    const texts = (await known?.deref()?.catch(() => undefined))?.texts
    const unknown = oids.filter((oid) => texts?.has(oid) !== true)
    const read = await noted(objects.readMany(unknown))
    const bytes = new Map(unknown.map((oid, index) => [oid, read[index]]))
    return oids.map((oid) => bytes.get(oid) ?? texts?.get(oid) ?? new Uint8Array())
  }
  return {
    revision,
    entries: async () => (await listed()).entries,
    read: async (oid) => (await readMany([oid]))[0] ?? new Uint8Array(),
    readMany,
  }
}

async function withSizes(entries: readonly TreeEntry[], objects: Objects): Promise<readonly TreeEntry[]> {
  const oids = [...new Set(entries.flatMap(({ kind, oid }) => (kind === 'submodule' ? [] : [oid])))]
  const sizes = await objects.sizes(oids)
  const sizeOf = new Map(oids.map((oid, index) => [oid, sizes[index]]))
  return entries.map((entry) => {
    const size = entry.kind === 'submodule' ? undefined : sizeOf.get(entry.oid)
    return size === undefined ? entry : { ...entry, size }
  })
}
