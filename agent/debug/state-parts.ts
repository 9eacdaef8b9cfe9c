// The state directory for a debug bundle, read as files: damaged state is what the bundle is for, so no store is opened, nothing is
// moved aside and nothing is locked. Only files that are known to hold no contents are taken.
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf } from '../../shared/errno.ts'
import { fileEnd } from './bounded-file.ts'
import { type Found, type LeftOut, type LeftOutReason, leftOut, wholeLines } from './part.ts'
import { fitsTar } from './tar.ts'

const fileLimitBytes = 2 * 1024 * 1024
const entriesLimit = 2000

const records = /^(?:(?:applies|displaced|evidence|failures|holds|mark|repairs|spool|status)\.json|journal)/
const recordsBelow: Readonly<Record<string, RegExp>> = {
  baseline: /\.json/,
  'person-applies': /\.json/,
  lock: /^\d+$/,
  'agent-lock': /^\d+$/,
}
/** Of `agent-restart` the files as they were before, base64. Also what was moved aside or is not yet in its place. */
const holdsSecrets = /\.pem|identity|credential|^agent-restart/
const leftOutFiles: Readonly<Record<string, LeftOutReason>> = {
  'hashes.json': 'cache',
  'digests.json': 'cache',
  objects: 'secret',
  repository: 'cache',
}

/** To be read, when there is room for it. */
type Wanted = { readonly kind: 'wanted'; readonly name: string; readonly path: string }
type Entry = Found | Wanted

/** Never throws. The journal is part of the state: `state/journal`. Holds no more than there is room for. */
export async function stateParts(directory: string, roomBytes: number): Promise<readonly Found[]> {
  const listed = await namesIn(directory)
  if (typeof listed === 'string')
    return [listed === 'ENOENT' ? leftOut('state', 'absent') : leftOut('state', 'unreadable', listed)]
  const entries: Entry[] = [await listing(directory, listed.names)]
  for (const name of listed.names) entries.push(...(await entriesFor(directory, name)))
  return await readAll([...entries, ...notListed('state', listed)], roomBytes)
}

async function readAll(entries: readonly Entry[], roomBytes: number): Promise<readonly Found[]> {
  const found: Found[] = []
  let left = roomBytes
  for (const entry of entries) {
    const limits = { limitBytes: fileLimitBytes, roomBytes: left }
    const one = entry.kind === 'wanted' ? wholeLines(await fileEnd(entry.path, entry.name, limits)) : entry
    if (one.kind === 'part') left -= Buffer.byteLength(one.text)
    found.push(one)
  }
  return found
}

async function entriesFor(directory: string, name: string): Promise<readonly Entry[]> {
  const path = join(directory, name)
  const shown = `state/${name}`
  const reason = leftOutFiles[name] ?? (holdsSecrets.test(name) ? 'secret' : undefined)
  if (reason !== undefined) return [leftOut(shown, reason)]
  const wanted = recordsBelow[name]
  if (wanted !== undefined) return await below(path, shown, wanted)
  return [entryAt(path, shown, records.test(name))]
}

async function below(directory: string, shown: string, wanted: RegExp): Promise<readonly Entry[]> {
  const listed = await namesIn(directory)
  if (typeof listed === 'string') return [leftOut(shown, 'unreadable', listed)]
  const entries = listed.names.map((name) => entryAt(join(directory, name), `${shown}/${name}`, wanted.test(name)))
  return [...entries, ...notListed(shown, listed)]
}

function entryAt(path: string, name: string, isRecord: boolean): Entry {
  return isRecord && fitsTar(`plumb-debug/${name}`) ? { kind: 'wanted', name, path } : leftOut(name, 'unknown-file')
}

function notListed(shown: string, { more }: Listed): readonly LeftOut[] {
  return more === 0 ? [] : [leftOut(shown, 'size', `${more} of its entries`)]
}

/** Sizes, modes and times say much by themselves: an empty file, a foreign owner. */
async function listing(directory: string, names: readonly string[]): Promise<Found> {
  const lines: string[] = []
  for (const name of ['.', ...names]) {
    const stat = await lstat(join(directory, name)).catch(() => undefined)
    if (stat === undefined) continue
    const mode = stat.mode.toString(8).padStart(6, '0')
    lines.push(`${mode} ${stat.uid}:${stat.gid} ${stat.size} ${stat.mtime.toISOString()} ${name}`)
  }
  return { kind: 'part', name: 'state/listing.txt', text: `${lines.join('\n')}\n`, isCut: false }
}

type Listed = { readonly names: readonly string[]; readonly more: number }

/** Sorted; the errno of what keeps them from being read. */
async function namesIn(directory: string): Promise<Listed | string> {
  try {
    const names = (await readdir(directory)).toSorted()
    return { names: names.slice(0, entriesLimit), more: Math.max(0, names.length - entriesLimit) }
  } catch (error) {
    return errnoOf(error) ?? String(error)
  }
}
