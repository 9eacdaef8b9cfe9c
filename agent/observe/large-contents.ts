// The two sides of a file that is too large to be held: the repository's from what is kept of it, the live one from the host, in parts.
import { sha256Schema } from '../../shared/names.ts'
import { hashedBytes } from '../host/files-read.ts'
import type { HostReader } from '../host/host.ts'
import { type Memory, slotByText } from '../memory.ts'
import type { AttributeDifference, Subject } from '../resources/kind.ts'
import { pathOf } from '../resources/paths.ts'
import type { ObjectStore } from '../state/objects.ts'
import { type KnownContent, type LargeDifference, largeDifference } from './large.ts'
import { pulled } from './pulled.ts'

export type LargeReaders = {
  readonly host: HostReader
  readonly objects: ObjectStore
  /** The repository's bytes of this digest, whole, and kept; undefined when they are nowhere. */
  readonly keptBytes: (sha256: string) => Promise<Uint8Array | undefined>
}

/** Undefined: both are small enough to be held, one of them is not there, or the live one is too large to be read. */
export async function largeOf(
  { id, desired }: Subject,
  { expected, live }: AttributeDifference,
  { host, objects, keptBytes, heldBytes }: LargeReaders & { readonly heldBytes: number },
): Promise<LargeDifference | undefined> {
  const path = pathOf(id)
  const size = host.files.stat(path)?.size ?? 0
  const isDesired = desired?.kind === 'file' && desired.sha256 === expected
  const known = isDesired ? desired.size : (objects.size(expected) ?? (await keptBytes(expected))?.length)
  if (Math.max(size, known ?? 0) <= heldBytes) return undefined
  // Reported by its size: it was not even read to be hashed.
  if (size > hashedBytes || !sha256Schema.safeParse(live).success) return undefined
  const content = await expectedContent(expected, objects, keptBytes)
  if (content === undefined) return undefined
  const seen = { size, sha256: live, parts: () => pulled((take) => host.files.parts(path, take)) }
  return differenceOnce(content, seen, host.memory)
}

/** Read as a whole once, as an apply does, and from then on in parts from what was kept. */
async function expectedContent(
  sha256: string,
  objects: ObjectStore,
  keptBytes: LargeReaders['keptBytes'],
): Promise<KnownContent | undefined> {
  const kept = keptContent(sha256, objects)
  if (kept !== undefined) return kept
  const bytes = await keptBytes(sha256)
  if (bytes === undefined) return undefined
  return keptContent(sha256, objects) ?? { size: bytes.length, sha256, parts: () => wholePart(bytes) }
}

function keptContent(sha256: string, objects: ObjectStore): KnownContent | undefined {
  const size = objects.size(sha256)
  const name = sha256Schema.safeParse(sha256)
  return size === undefined || !name.success ? undefined : { size, sha256, parts: () => objects.parts(name.data) }
}

async function* wholePart(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

/** A drift is reported again and again until a person decides. */
const largeDifferences = slotByText<LargeDifference>(4)

async function differenceOnce(
  expected: KnownContent,
  live: KnownContent,
  memory: Memory,
): Promise<LargeDifference | undefined> {
  const remembered = memory.at(largeDifferences)
  const key = `${expected.sha256} ${live.sha256}`
  const known = remembered.get(key)
  if (known !== undefined) return known
  const found = await largeDifference(expected, live)
  if (found === undefined) return undefined
  remembered.set(key, found)
  return found
}
