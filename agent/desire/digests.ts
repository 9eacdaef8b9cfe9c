// SHA-256 and size of blobs; what is known of an object id never changes, so each is read once in a host's life.
import { createHash } from 'node:crypto'
import { type Sha256, sha256Schema } from '../../shared/names.ts'
import { PlumbError } from '../../shared/problem.ts'
import type { RevisionReader } from '../sync/revision.ts'

type Digest = {
  readonly sha256: Sha256
  readonly size: number
  /** Of what is judged by what it says, by the text of its rules (document/meaning.ts). */
  readonly meanings?: Readonly<Record<string, Sha256>>
}
/** By git's object id. */
export type Digests = ReadonlyMap<string, Digest>

export type Blob = { readonly oid: string; readonly source: string }

/** Of exactly these blobs, so that what is remembered does not outgrow the revision. */
export async function digestsOf(blobs: readonly Blob[], known: Digests, reader: RevisionReader): Promise<Digests> {
  const digests = new Map<string, Digest>()
  const unread = new Map<string, Blob>()
  for (const blob of blobs) {
    const digest = known.get(blob.oid)
    if (digest === undefined) unread.set(blob.oid, blob)
    else digests.set(blob.oid, digest)
  }
  const missing = [...unread.values()]
  for (let start = 0; start < missing.length; start += blobsAtOnce) {
    const batch = missing.slice(start, start + blobsAtOnce)
    const contents = await reader.readMany(batch.map(({ oid }) => oid))
    for (const [index, blob] of batch.entries()) digests.set(blob.oid, digestOf(contents[index], blob))
  }
  return digests
}

export function sha256Of(content: Uint8Array | string): Sha256 {
  return sha256Schema.parse(createHash('sha256').update(content).digest('hex'))
}

/** Bounds memory: contents are dropped as soon as they are hashed. */
const blobsAtOnce = 200

function digestOf(content: Uint8Array | undefined, { oid, source }: Blob): Digest {
  if (content === undefined)
    throw new PlumbError({
      code: 'repository-corrupt',
      message: `The object ${oid} could not be read.`,
      where: { file: source },
    })
  if (isLfsPointer(content))
    throw new PlumbError({
      code: 'repository-invalid',
      message: 'is a pointer of Git LFS, not the file itself; hosts do not fetch from LFS.',
      where: { file: source },
      remedy: 'Commit the file itself: git lfs migrate export.',
    })
  return { sha256: sha256Of(content), size: content.byteLength }
}

function isLfsPointer(content: Uint8Array): boolean {
  return (
    content.byteLength < 1024 &&
    new TextDecoder().decode(content.subarray(0, 30)).startsWith('version https://git-lfs.')
  )
}
