// What dpkg and apt wrote of their doings: /var/log/dpkg.log and /var/log/apt/history.log, the rotated ones too.
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { type AbsolutePath, absolutePathSchema } from '../../../shared/names.ts'
import type { FileReader } from '../files.ts'
import type { Run } from '../run.ts'
import { defined, isoTime, tidy } from './tidy.ts'

export type DpkgAction = {
  readonly at: string
  /** Without its architecture. */
  readonly package: string
  /** `install`, `upgrade`, `remove`, `purge`, `configure`, `trigproc`. */
  readonly action: string
  readonly from?: string
  readonly to?: string
}

export type AptRun = {
  readonly from: string
  /** Absent: it was still at work. */
  readonly to?: string
  readonly commandLine?: string
  readonly requestedBy?: string
}

export type Window = { readonly from: number; readonly to: number }

export async function dpkgActions(files: FileReader, window: Window): Promise<readonly DpkgAction[]> {
  const texts = await logTexts(files, '/var/log/dpkg.log', window.from)
  return texts.flatMap(parseDpkgLog).filter(({ at }) => Date.parse(at) >= window.from && Date.parse(at) <= window.to)
}

export async function aptRuns(files: FileReader, window: Window): Promise<readonly AptRun[]> {
  const texts = await logTexts(files, '/var/log/apt/history.log', window.from)
  return texts
    .flatMap(parseAptHistory)
    .filter(({ from, to }) => Date.parse(from) <= window.to && (to === undefined || Date.parse(to) >= window.from))
}

/** By path, the packages that have it. One `dpkg-query`, which reads every list of files there is. */
export async function owningPackages(
  query: Run,
  paths: readonly string[],
  deadlineSeconds: number,
): Promise<ReadonlyMap<string, readonly string[]>> {
  // It takes these for a pattern.
  const plain = paths.filter((path) => !/[*?[\\]/.test(path))
  if (plain.length === 0) return new Map()
  const args = ['dpkg-query', '--search', '--', ...plain]
  return parseOwners((await query({ args, deadlineSeconds, outputLimitBytes: 1 << 20 })).stdout)
}

/** `libc6:amd64, libc6:i386: /usr/share/doc/libc6`. Lines of diversions have no such form. */
export function parseOwners(stdout: string): ReadonlyMap<string, readonly string[]> {
  const owners = stdout.split('\n').flatMap((line) => {
    const [, names, path] = /^([a-z0-9][^ /]*(?:, [a-z0-9][^ /]*)*): (\/.*)$/.exec(line) ?? []
    return names === undefined || path === undefined ? [] : [[path, names.split(', ').map(bareName)] as const]
  })
  return new Map(owners)
}

/** `2026-11-26 12:17:30 upgrade cron:amd64 3.0pl1-162 3.0pl1-163`, in the host's own time zone. */
export function parseDpkgLog(text: string): readonly DpkgAction[] {
  return text.split('\n').flatMap((line) => {
    const match =
      /^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (install|upgrade|remove|purge|configure|trigproc) (\S+) (\S+) (\S+)/.exec(line)
    const [, time = '', action, name, from, to] = match ?? []
    const at = localTime(time)
    if (action === undefined || name === undefined || at === undefined) return []
    return [defined({ at, package: bareName(name), action, from: version(from), to: version(to) })]
  })
}

/** Stanzas of `Start-Date: 2026-11-26  12:17:30`, `Commandline: ...`, `Requested-By: anna (1000)`, `End-Date: ...`. */
export function parseAptHistory(text: string): readonly AptRun[] {
  return text.split(/\n\s*\n/).flatMap((stanza) => {
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(stanza)?.[1]
    const from = localTime(field('Start-Date'))
    if (from === undefined) return []
    return [
      defined({
        from,
        to: localTime(field('End-Date')),
        commandLine: tidy(field('Commandline'), 500),
        requestedBy: tidy(field('Requested-By')),
      }),
    ]
  })
}

const logLimitBytes = 16 << 20
const unpack = promisify(gunzip)

/** Those that were written to since `from`, the oldest first; what is too large or damaged is left out. */
async function logTexts(files: FileReader, log: string, from: number): Promise<readonly string[]> {
  const texts: string[] = []
  for (const name of [log, `${log}.1`, `${log}.1.gz`, `${log}.2.gz`, `${log}.3.gz`]) {
    const path = absolutePathSchema.parse(name)
    const stat = files.stat(path)
    if (stat === undefined) continue
    if (stat.modifiedMs < from) break
    const text = await logText(files, path)
    if (text !== undefined) texts.unshift(text)
  }
  return texts
}

async function logText(files: FileReader, path: AbsolutePath): Promise<string | undefined> {
  const bytes = await files.read(path, logLimitBytes)
  if (bytes === undefined || !path.endsWith('.gz')) return bytes && Buffer.from(bytes).toString('utf8')
  try {
    return (await unpack(bytes, { maxOutputLength: logLimitBytes })).toString('utf8')
  } catch {
    return undefined
  }
}

function localTime(text: string | undefined): string | undefined {
  return text === undefined ? undefined : isoTime(Date.parse(text.replace(/ +/, 'T')))
}

function bareName(name: string): string {
  return (name.split(':')[0] ?? '').slice(0, 200)
}

function version(text: string | undefined): string | undefined {
  return text === '<none>' ? undefined : tidy(text)
}
