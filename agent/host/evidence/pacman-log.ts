// What pacman wrote of its doings and of its commands: /var/log/pacman.log.
import { actionsWithin, type LoggedAction, type LoggedRun, logTexts, type PackageLog, runsWithin } from './logged.ts'
import { defined, isoTime, sanitized } from './sanitize.ts'

export const pacmanLog: PackageLog = {
  actions: async (files, window) =>
    actionsWithin((await logTexts(files, log, window.from)).flatMap(parsePacmanActions), window),
  runs: async (files, window) =>
    runsWithin(parsePacmanRuns((await logTexts(files, log, window.from)).join('\n')), window),
  owners: async (query, { paths, deadlineSeconds }) => {
    if (paths.length === 0) return new Map()
    const args = ['pacman', '--query', '--owns', '--', ...paths]
    return parsePacmanOwners((await query({ args, deadlineSeconds, outputLimitBytes: 1 << 20 })).stdout)
  },
}

const log = '/var/log/pacman.log'

/** `[2026-11-26T18:43:18+0000] [ALPM] upgraded plumb-p (1.0-1 -> 1.1-1)`. */
export function parsePacmanActions(text: string): readonly LoggedAction[] {
  return text.split('\n').flatMap((line) => {
    const { at, by, said } = entryIn(line)
    const [, verb = '', name, one, other] =
      /^(\w+) (\S+) \((\S+)(?: -> (\S+))?\)$/.exec(said)?.map((part) => part?.slice(0, 200)) ?? []
    const action = doings[verb]
    if (at === undefined || by !== 'ALPM' || action === undefined || name === undefined) return []
    const isNew = action === 'install' || action === 'reinstall'
    return [defined({ at, package: name, action, from: isNew ? undefined : one, to: isNew ? one : other })]
  })
}

const doings: Readonly<Record<string, string>> = {
  installed: 'install',
  reinstalled: 'reinstall',
  upgraded: 'upgrade',
  downgraded: 'downgrade',
  removed: 'remove',
}

/** From `[PACMAN] Running 'pacman -Su'` to `[ALPM] transaction completed`; those without a transaction are left out. */
export function parsePacmanRuns(text: string): readonly LoggedRun[] {
  const runs: LoggedRun[] = []
  let open: LoggedRun | undefined
  for (const line of text.split('\n')) {
    const { at, by, said } = entryIn(line)
    if (at === undefined) continue
    const command = by === 'PACMAN' ? /^Running '(.*)'$/.exec(said)?.[1] : undefined
    if (command !== undefined) open = defined({ from: at, commandLine: sanitized(command, 500) })
    if (by === 'ALPM' && /^transaction (?:completed|interrupted|failed)$/.test(said) && open !== undefined) {
      runs.push({ ...open, to: at })
      open = undefined
    }
  }
  return open === undefined ? runs : [...runs, open]
}

/** `/usr/share/doc/ is owned by plumb-p 1.1-1`, a line for each owner; a directory has a slash. LANG is C.UTF-8. */
export function parsePacmanOwners(stdout: string): ReadonlyMap<string, readonly string[]> {
  const owners = new Map<string, readonly string[]>()
  for (const [, path = '', name = ''] of stdout.matchAll(/^(\/.*?)\/? is owned by (\S{1,200}) \S+$/gm))
    owners.set(path, [...(owners.get(path) ?? []), name])
  return owners
}

type Entry = { readonly at?: string | undefined; readonly by?: string | undefined; readonly said: string }

function entryIn(line: string): Entry {
  const [, time, hours, minutes, by, said = ''] =
    /^\[(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)([+-]\d\d)(\d\d)\] \[(\w+)\] (.*)$/.exec(line) ?? []
  return { at: isoTime(Date.parse(`${time}${hours}:${minutes}`)), by, said }
}
