// The state directory for a debug bundle, read as files: damaged state is what the bundle is for, so no store is opened, nothing is
// moved aside and nothing is locked. Only files that are known to hold no contents are taken.
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf } from '../../shared/errno.ts'
import { fileEnd } from './bounded-file.ts'
import { type Found, type LeftOutReason, leftOut, wholeLines } from './part.ts'
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

/** Never throws. The journal is part of the state: `state/journal`. */
export async function stateParts(directory: string): Promise<readonly Found[]> {
  const names = await namesIn(directory)
  if (typeof names === 'string')
    return [names === 'ENOENT' ? leftOut('state', 'absent') : leftOut('state', 'unreadable', names)]
  const found: Found[] = [await listing(directory, names)]
  for (const name of names) found.push(...(await entryParts(directory, name)))
  return found
}

async function entryParts(directory: string, name: string): Promise<readonly Found[]> {
  const path = join(directory, name)
  const shown = `state/${name}`
  const reason = leftOutFiles[name] ?? (holdsSecrets.test(name) ? 'secret' : undefined)
  if (reason !== undefined) return [leftOut(shown, reason)]
  const wanted = recordsBelow[name]
  if (wanted !== undefined) return await below(path, shown, wanted)
  if (records.test(name) && fitsTar(`plumb-debug/${shown}`))
    return [wholeLines(await fileEnd(path, shown, fileLimitBytes))]
  return [leftOut(shown, 'unknown-file')]
}

async function below(directory: string, shown: string, wanted: RegExp): Promise<readonly Found[]> {
  const names = await namesIn(directory)
  if (typeof names === 'string') return [leftOut(shown, 'unreadable', names)]
  const found: Found[] = []
  for (const name of names) {
    const at = `${shown}/${name}`
    if (!wanted.test(name) || !fitsTar(`plumb-debug/${at}`)) found.push(leftOut(at, 'unknown-file'))
    else found.push(wholeLines(await fileEnd(join(directory, name), at, fileLimitBytes)))
  }
  return found
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

/** Sorted; the errno of what keeps them from being read. */
async function namesIn(directory: string): Promise<readonly string[] | string> {
  try {
    return (await readdir(directory)).toSorted().slice(0, entriesLimit)
  } catch (error) {
    return errnoOf(error) ?? String(error)
  }
}
