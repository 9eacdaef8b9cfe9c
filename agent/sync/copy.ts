// The agent's copy of the repository: brought up to the remote's head, and cloned again when it is damaged or has grown. All
// functions change the copy and must be called under the lock.
import { rm } from 'node:fs/promises'
import type { Revision } from '../../shared/names.ts'
import { PlumbError } from '../../shared/problem.ts'
import type { Mark } from './mark.ts'
import { type Store, seal, sealedPacks } from './store.ts'
import { branchName, type RemoteHead, type Transport } from './transport.ts'

export type CopyParts = { readonly store: Store; readonly transport: Transport; readonly url: string }

export type Brought = { readonly copy: string; readonly revision: Revision }

export type Wanted = {
  readonly head: RemoteHead
  /** The revision that must stay readable; undefined before the first one was accepted. */
  readonly mark: Mark | undefined
  /** Accepts a history without the mark. */
  readonly allowRewind: boolean
}

/**
 * Resolves to the head in a sound copy: the present copy after a fetch, or a new clone when there is no usable copy. Throws
 * `repository-rewound` when the head does not descend from the mark.
 */
export async function bringHead(parts: CopyParts, wanted: Wanted): Promise<Brought> {
  const copy = await soundCopy(parts, wanted)
  if (copy === undefined) return await activated(parts, await cloned(parts, wanted))
  try {
    return await advanced(parts, wanted, copy)
  } catch (error) {
    if (!isDamage(error)) throw error
    return await activated(parts, await cloned(parts, wanted))
  }
}

/**
 * Reduces the number of packs. Only while the head is the mark, when a shallow clone is complete. A failure changes
 * nothing.
 */
export async function compacted(parts: CopyParts, head: RemoteHead, copy: string): Promise<string> {
  try {
    const clone = await cloned(parts, { head, mark: undefined, allowRewind: false })
    if (clone.revision === head.revision) return (await activated(parts, clone)).copy
    await rm(clone.copy, { recursive: true, force: true })
    return copy
  } catch {
    return copy
  }
}

export function isDamage(error: unknown): boolean {
  return error instanceof PlumbError && error.code === 'repository-corrupt'
}

/** Undefined when there is no copy, or its needed objects cannot be read. */
async function soundCopy({ store, transport }: CopyParts, { head, mark }: Wanted): Promise<string | undefined> {
  const copy = store.current()
  if (copy === undefined || sealedPacks(copy) !== undefined) return copy
  if (mark === undefined) return undefined
  try {
    await readAll(transport, copy, mark.revision)
    if (await transport.objects(copy).hasCommit(head.revision)) await readAll(transport, copy, head.revision)
    return copy
  } catch (error) {
    if (isDamage(error)) return undefined
    throw error
  }
}

async function readAll(transport: Transport, copy: string, revision: Revision): Promise<void> {
  const objects = transport.objects(copy)
  const entries = await objects.entries(revision)
  const oids = [...new Set(entries.filter((entry) => entry.kind !== 'submodule').map((entry) => entry.oid))]
  for (let start = 0; start < oids.length; start += 200) await objects.readMany(oids.slice(start, start + 200))
}

async function advanced(parts: CopyParts, wanted: Wanted, copy: string): Promise<Brought> {
  const { transport } = parts
  const { head } = wanted
  const here = await transport.objects(copy).hasCommit(head.revision)
  const revision = here ? head.revision : await transport.fetch(copy, head.ref)
  await verify(parts, wanted, { copy, revision })
  if (sealedPacks(copy) === undefined) await seal(copy)
  return { copy, revision }
}

/** Clones beside the current copy, with as much history as needed to reach the mark. */
async function cloned(parts: CopyParts, wanted: Wanted): Promise<Brought> {
  const { store, transport } = parts
  const { head, mark, allowRewind } = wanted
  const copy = await store.incoming()
  try {
    await transport.create(copy)
    let revision = await transport.fetch(copy, head.ref, 1)
    for (const depth of allowRewind || mark === undefined ? [] : [50, 1000, wholeHistory]) {
      if (mark !== undefined && (await transport.objects(copy).hasCommit(mark.revision))) break
      revision = await transport.fetch(copy, head.ref, depth)
    }
    await verify(parts, wanted, { copy, revision })
    await seal(copy)
    return { copy, revision }
  } catch (error) {
    await rm(copy, { recursive: true, force: true })
    throw error
  }
}

async function activated({ store }: CopyParts, { copy, revision }: Brought): Promise<Brought> {
  return { copy: await store.activate(copy), revision }
}

/** git's value for unlimited depth. */
const wholeHistory = 2_147_483_647

/**
 * Verifies a revision before anything is read from it: it must descend from the mark. Signatures (`trust`), by the
 * signers of the last trusted revision, belong here too.
 */
async function verify({ transport, url }: CopyParts, wanted: Wanted, { copy, revision }: Brought): Promise<void> {
  const { head, mark, allowRewind } = wanted
  if (allowRewind || mark === undefined) return
  if (await transport.objects(copy).descends(revision, mark.revision)) return
  const from = mark.url === url ? '' : ` from ${mark.url}`
  throw new PlumbError({
    code: 'repository-rewound',
    message:
      `${url}: ${branchName(head.ref)} is at ${revision}, whose history does not contain ${mark.revision}, ` +
      `which this host last accepted${from}. The history was rewound or replaced. Nothing of it is applied.`,
    remedy: 'If that was meant: plumb apply --allow-rewind. If not, push the lost commits again.',
  })
}
