// The bytes that a diff needs, read only for files whose content differs: what was applied, what is desired, what is live.
import { hash } from 'node:crypto'
import type { HiddenReason } from '../../shared/finding.ts'
import { type AbsolutePath, absolutePathSchema, type ResourceId } from '../../shared/names.ts'
import { PlumbError } from '../../shared/problem.ts'
import { type FileResource, isOfKind } from '../../shared/resource.ts'
import { documentBytes } from '../document/read.ts'
import type { FileReader, FileStat } from '../host/files.ts'
import type { HostReader } from '../host/host.ts'
import type { AttributeDifference, BaselineResource, ReadContents, Subject } from '../resources/kind.ts'
import { pathOf } from '../resources/paths.ts'
import type { ObjectStore } from '../state/objects.ts'
import type { LargeDifference } from './large.ts'
import { largeOf } from './large-contents.ts'

/** A side is undefined when it is not there, is not a file, or is larger than a diff can show. */
export type ContentSides = {
  readonly baseline: Uint8Array | undefined
  readonly desired: Uint8Array | undefined
  readonly live: Uint8Array | undefined
  /** Of a file that is too large to be held. */
  readonly large?: LargeDifference
  /** Nothing of it may be told. Of a file with another name nothing live was read either. */
  readonly hidden?: HiddenReason
}

export type ContentsByResource = ReadonlyMap<ResourceId, ContentSides>

/** A resource and how it differs: what a comparison and a planned change have in common. */
export type Differing = Subject & { readonly differences: readonly AttributeDifference[] }

export type ContentReaders = {
  readonly host: HostReader
  readonly objects: ObjectStore
  readonly contents: ReadContents
}

/** A larger file is not held: where it differs is looked for part by part. */
const diffableBytes = 1024 * 1024

export function contentsFor(differing: readonly Differing[], readers: ContentReaders): Promise<ContentsByResource> {
  return readers.host.files.pass(async () => {
    const sides = new Map<ResourceId, ContentSides>()
    for (const one of differing) if (isContent(one)) sides.set(one.id, await sidesOf(one, readers))
    return sides
  })
}

/** A file that is missing, or another type, has no live side: the desired one is still read, for the plan's diff. */
function isContent({ id, differences }: Differing): boolean {
  return (
    isOfKind(id, 'file') && differences.some(({ name }) => name === 'content' || name === 'type' || name === 'override')
  )
}

async function sidesOf(one: Differing, readers: ContentReaders): Promise<ContentSides> {
  const { files } = readers.host
  const before = statNow(pathOf(one.id), files)
  if (before?.type === 'file' && before.links > 1) return { ...noSides, hidden: 'linked' }
  const sides = await readSides(one, readers)
  const after = statNow(pathOf(one.id), files)
  // Another file may have stood there while it was read, or its other name may have been made and removed.
  if (before?.inode !== after?.inode || before?.changedMs !== after?.changedMs) return { ...noSides, hidden: 'linked' }
  const hidden = hiddenReason(one, after, files)
  return hidden === undefined ? sides : { ...sides, hidden }
}

const noSides = { baseline: undefined, desired: undefined, live: undefined } as const

function statNow(path: AbsolutePath, files: FileReader): FileStat | undefined {
  try {
    return files.stat(path)
  } catch (error) {
    if (error instanceof PlumbError) return undefined
    throw error
  }
}

/** As far as other users can read neither side, no report tells either. */
function hiddenReason(
  { id, desired, baseline }: Differing,
  live: FileStat | undefined,
  files: FileReader,
): HiddenReason | undefined {
  const setting = desired?.kind === 'file' ? desired.diff : undefined
  if (setting !== undefined) return setting ? undefined : 'setting'
  const modes = [
    ...(desired?.kind === 'file' ? [desired.mode] : []),
    ...(baseline?.attributes['mode'] === undefined ? [] : [Number.parseInt(baseline.attributes['mode'], 8)]),
    ...(live?.type === 'file' ? [live.mode] : []),
  ]
  if (modes.some((mode) => (mode & 0o004) === 0)) return 'mode'
  const isClosed = (directory: AbsolutePath) => ((statNow(directory, files)?.mode ?? 0o001) & 0o001) === 0
  return directoriesAbove(pathOf(id)).some(isClosed) ? 'mode' : undefined
}

/** Without the root, which is a directory of this machine's where the host is a sandbox. */
function directoriesAbove(path: AbsolutePath): readonly AbsolutePath[] {
  const names = path.split('/').slice(1, -1)
  return names.map((_, index) => absolutePathSchema.parse(`/${names.slice(0, index + 1).join('/')}`))
}

async function readSides(one: Differing, readers: ContentReaders): Promise<ContentSides> {
  const large = await largeIn(one, readers)
  if (large !== undefined) return { ...noSides, large }
  const { id, desired, baseline } = one
  const limit = heldBytes(one)
  const wanted = desired?.kind === 'file' ? await desiredBytes(desired, limit, readers) : undefined
  const same = desired?.kind === 'file' && desired.sha256 === baseline?.attributes['content']
  const applied = same ? wanted : await appliedBytes(baseline, readers)
  // Once it drifted its diff is wanted until somebody decides, also when the clone no longer has this content.
  if (applied !== undefined && baseline !== undefined) keep(applied, readers.objects)
  return { desired: wanted, baseline: applied, live: await liveBytes(id, limit, readers.host) }
}

async function largeIn(one: Differing, readers: ContentReaders): Promise<LargeDifference | undefined> {
  const difference = one.differences.find(({ name }) => name === 'content')
  if (difference === undefined) return undefined
  const { host, objects } = readers
  const keptBytes = async (sha256: string) => {
    const { desired, baseline } = one
    const isDesired = desired?.kind === 'file' && desired.sha256 === sha256
    const bytes = isDesired ? (await readers.contents([desired.content]))[0] : await appliedBytes(baseline, readers)
    if (bytes === undefined || hash('sha256', bytes, 'hex') !== sha256) return undefined
    keep(bytes, objects)
    return bytes
  }
  return orUndefined(() => largeOf(one, difference, { host, objects, keptBytes, heldBytes: heldBytes(one) }))
}

/** A full disk is no reason to have no diff now. */
function keep(bytes: Uint8Array, objects: ObjectStore): void {
  try {
    objects.put(bytes)
  } catch (error) {
    if (!(error instanceof PlumbError)) throw error
  }
}

async function appliedBytes(
  baseline: BaselineResource | undefined,
  { objects, contents }: ContentReaders,
): Promise<Uint8Array | undefined> {
  const kept = objects.get(baseline?.attributes['content'] ?? '')
  const oid = baseline?.blob
  if (kept !== undefined || oid === undefined) return kept
  const read = await orUndefined(async () => (await contents([{ kind: 'blob', oid }]))[0])
  return read !== undefined && hash('sha256', read, 'hex') === baseline?.attributes['content'] ? read : undefined
}

/** What is judged by what it says is told by that, as long as it can be read. */
function heldBytes({ desired }: Differing): number {
  const rules = desired?.kind === 'file' ? desired.judged?.rules : undefined
  return rules === undefined ? diffableBytes : Math.max(diffableBytes, documentBytes(rules.as))
}

/** Without them there is no diff; the difference itself is told all the same. */
async function desiredBytes(
  { content, size }: FileResource,
  limit: number,
  readers: ContentReaders,
): Promise<Uint8Array | undefined> {
  if (size > limit) return undefined
  return orUndefined(async () => (await readers.contents([content]))[0])
}

async function liveBytes(id: ResourceId, limit: number, { files }: HostReader): Promise<Uint8Array | undefined> {
  return orUndefined(() => files.read(pathOf(id), limit))
}

async function orUndefined<T>(read: () => Promise<T | undefined>): Promise<T | undefined> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof PlumbError) return undefined
    throw error
  }
}
