// What dpkg and apt wrote of their doings: /var/log/dpkg.log and /var/log/apt/history.log, the rotated ones too.
import type { Run } from '../../../shared/command.ts'
import {
  actionsWithin,
  type LoggedAction,
  type LoggedRun,
  logTexts,
  type OwnersAsked,
  type PackageLog,
  runsWithin,
} from './logged.ts'
import { defined, isoTime, sanitized } from './sanitize.ts'

export const dpkgLog: PackageLog = {
  actions: async (files, window) =>
    actionsWithin((await logTexts(files, '/var/log/dpkg.log', window.from)).flatMap(parseDpkgLog), window),
  runs: async (files, window) =>
    runsWithin((await logTexts(files, '/var/log/apt/history.log', window.from)).flatMap(parseAptHistory), window),
  owners: owningPackages,
}

/** One `dpkg-query`, which reads every list of files there is. */
async function owningPackages(
  query: Run,
  { paths, deadlineSeconds }: OwnersAsked,
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
export function parseDpkgLog(text: string): readonly LoggedAction[] {
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
export function parseAptHistory(text: string): readonly LoggedRun[] {
  return text.split(/\n\s*\n/).flatMap((stanza) => {
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(stanza)?.[1]
    const from = localTime(field('Start-Date'))
    if (from === undefined) return []
    return [
      defined({
        from,
        to: localTime(field('End-Date')),
        commandLine: sanitized(field('Commandline'), 500),
        requestedBy: sanitized(field('Requested-By')),
      }),
    ]
  })
}

function localTime(text: string | undefined): string | undefined {
  return text === undefined ? undefined : isoTime(Date.parse(text.replace(/ +/, 'T')))
}

function bareName(name: string): string {
  return (name.split(':')[0] ?? '').slice(0, 200)
}

function version(text: string | undefined): string | undefined {
  return text === '<none>' ? undefined : sanitized(text)
}
