// SHA-256 and size of blobs; what is known of an object id never changes, so each is read once in a host's life.
// Decision: docs/decisions/2026-11-23-object-ids-stand-for-content.md

import { createHash } from 'node:crypto'
import { compact } from '../../shared/compact.ts'
import { type Sha256, sha256Schema } from '../../shared/names.ts'
import { PlumbError } from '../../shared/problem.ts'
import type { RevisionReader } from '../sync/revision.ts'
import { type ForeignForm, foreignForm } from './foreign-content.ts'
import type { Blob } from './managed-files.ts'

type Digest = {
  readonly sha256: Sha256
  readonly size: number
  /** Absent for ordinary content. */
  readonly foreign?: ForeignForm
  /** Of what is judged by what it says, by the text of its rules (document/meaning.ts). */
  readonly meanings?: Readonly<Record<string, Sha256>>
}
/** By git's object id. */
export type Digests = ReadonlyMap<string, Digest>

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
  for (const batch of await batches(missing, reader)) {
    const contents = await reader.readMany(batch.map(({ oid }) => oid))
    for (const [index, blob] of batch.entries()) digests.set(blob.oid, digestOf(contents[index], blob))
  }
  return digests
}

export function sha256Of(content: Uint8Array | string): Sha256 {
  return sha256Schema.parse(createHash('sha256').update(content).digest('hex'))
}

/** Bounds memory: contents are dropped as soon as they are hashed. */
const atOnce = { blobs: 200, bytes: 8 * 1024 * 1024 } as const

async function batches(blobs: readonly Blob[], reader: RevisionReader): Promise<readonly (readonly Blob[])[]> {
  if (blobs.length === 0) return []
  const sizes = new Map((await reader.entries()).map(({ oid, size = 0 }) => [oid, size]))
  const made: Blob[][] = []
  let bytes = 0
  for (const blob of blobs) {
    const size = sizes.get(blob.oid) ?? 0
    const current = made.at(-1)
    const isFull = current === undefined || current.length >= atOnce.blobs || bytes + size > atOnce.bytes
    if (isFull) made.push([blob])
    else current.push(blob)
    bytes = isFull ? size : bytes + size
  }
  return made
}

function digestOf(content: Uint8Array | undefined, { oid, source }: Blob): Digest {
  if (content === undefined)
    throw new PlumbError({
      code: 'repository-corrupt',
      message: `The object ${oid} could not be read.`,
      where: { file: source },
    })
  const foreign = foreignForm(content)
  return { sha256: sha256Of(content), size: content.byteLength, ...compact({ foreign }) }
}
