// What every package manager's log is read for, and how its files are read: within bounds, the rotated ones too.
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import type { Run } from '../../../shared/command.ts'
import { type AbsolutePath, absolutePathSchema } from '../../../shared/names.ts'
import type { FileReader } from '../files.ts'

export type LoggedAction = {
  readonly at: string
  /** Without its architecture. */
  readonly package: string
  /** `install`, `reinstall`, `upgrade`, `downgrade`, `remove`; of dpkg also `purge`, `configure`, `trigproc`. */
  readonly action: string
  readonly from?: string
  readonly to?: string
}

/** A command of a user. */
export type LoggedRun = {
  readonly from: string
  /** Absent: it was still at work. */
  readonly to?: string
  readonly commandLine?: string
  readonly requestedBy?: string
}

/** Ms since the epoch. */
export type Window = { readonly from: number; readonly to: number }

export type OwnersAsked = { readonly paths: readonly string[]; readonly deadlineSeconds: number }

export type PackageLog = {
  actions(files: FileReader, window: Window): Promise<readonly LoggedAction[]>
  runs(files: FileReader, window: Window): Promise<readonly LoggedRun[]>
  /** By path, the packages that have it. */
  owners(query: Run, asked: OwnersAsked): Promise<ReadonlyMap<string, readonly string[]>>
}

export function actionsWithin(actions: readonly LoggedAction[], window: Window): readonly LoggedAction[] {
  return actions.filter(({ at }) => Date.parse(at) >= window.from && Date.parse(at) <= window.to)
}

export function runsWithin(runs: readonly LoggedRun[], window: Window): readonly LoggedRun[] {
  return runs.filter(
    ({ from, to }) => Date.parse(from) <= window.to && (to === undefined || Date.parse(to) >= window.from),
  )
}

/** Those that were written to since `from`, the oldest first; what is too large or damaged is left out. */
export async function logTexts(files: FileReader, log: string, from: number): Promise<readonly string[]> {
  const texts: string[] = []
  for (const end of ['', '.1', '.1.gz', '.2', '.2.gz', '.3', '.3.gz']) {
    const path = absolutePathSchema.parse(`${log}${end}`)
    const stat = files.stat(path)
    if (stat === undefined) continue
    if (stat.modifiedMs < from) break
    const text = await logText(files, path)
    if (text !== undefined) texts.unshift(text)
  }
  return texts
}

const logLimitBytes = 16 << 20
const unpack = promisify(gunzip)

async function logText(files: FileReader, path: AbsolutePath): Promise<string | undefined> {
  const bytes = await files.read(path, logLimitBytes)
  if (bytes === undefined || !path.endsWith('.gz')) return bytes && Buffer.from(bytes).toString('utf8')
  try {
    return (await unpack(bytes, { maxOutputLength: logLimitBytes })).toString('utf8')
  } catch {
    return undefined
  }
}
