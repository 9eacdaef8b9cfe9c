// The small text files of a revision, for what lint reads in them.
import { isUtf8 } from 'node:buffer'
import type { Digests } from '../desire/digests.ts'
import { blobsOf, type ManagedService } from '../desire/managed-files.ts'
import type { RevisionReader } from '../sync/revision.ts'

/** What is larger is no file that a person wrote. */
export const textLimitBytes = 256 * 1024

const limits = { totalBytes: 128 * 1024 * 1024, atOnce: 200 } as const

/** By path inside the repository. What is larger than a configuration file, or no text, is not in it. */
export async function readSmallTexts(
  services: readonly ManagedService[],
  digests: Digests,
  reader: RevisionReader,
): Promise<ReadonlyMap<string, string>> {
  const texts = new Map<string, string>()
  let left: number = limits.totalBytes
  const small = blobsOf(services).filter(({ oid }) => {
    const size = digests.get(oid)?.size ?? textLimitBytes + 1
    if (size > textLimitBytes || size > left) return false
    left -= size
    return true
  })
  for (let start = 0; start < small.length; start += limits.atOnce) {
    const batch = small.slice(start, start + limits.atOnce)
    const contents = await reader.readMany(batch.map(({ oid }) => oid))
    for (const [index, { source }] of batch.entries()) {
      const content = contents[index]
      if (content !== undefined && isUtf8(content)) texts.set(source, Buffer.from(content).toString('utf8'))
    }
  }
  return texts
}
