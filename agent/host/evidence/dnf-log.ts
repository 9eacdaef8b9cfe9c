// What dnf 4 wrote of its doings: /var/log/dnf.rpm.log, and the commands in /var/log/dnf.log; it rotates both itself.
// Only actions of dnf are logged: direct calls of rpm leave no log.
import type { Run } from '../../../shared/command.ts'
import { actionsWithin, type LoggedAction, type LoggedRun, logTexts, type PackageLog, runsWithin } from './logged.ts'
import { defined, isoTime, sanitized } from './sanitize.ts'

export const dnfLog: PackageLog = {
  actions: async (files, window) =>
    actionsWithin(parseDnfRpmLog((await logTexts(files, '/var/log/dnf.rpm.log', window.from)).join('\n')), window),
  runs: async (files, window) =>
    runsWithin(parseDnfLog((await logTexts(files, '/var/log/dnf.log', window.from)).join('\n')), window),
  owners: async (query, { paths, deadlineSeconds }) => {
    const asked = paths.slice(0, pathsAsked)
    const owners = asked.map(async (path) => [path, await ownersOf(path, query, deadlineSeconds)] as const)
    return new Map(await Promise.all(owners))
  },
}

/**
 * `2026-11-26T18:43:11+0000 SUBDEBUG Upgrade: plumb-a-2.0-1.lab.noarch`, and what it replaced on a line of its own behind it:
 * `... Upgraded: plumb-a-1.0-1.lab.noarch`.
 */
export function parseDnfRpmLog(text: string): readonly LoggedAction[] {
  const actions: LoggedAction[] = []
  for (const line of text.split('\n')) {
    const { at, said } = entryIn(line)
    const [, verb = '', name, version] =
      /^(\w+): (\S+)-((?:\d+:)?[^\s:-]+-[^\s:-]+)\.[^\s.-]+$/.exec(said)?.map((part) => part.slice(0, 200)) ?? []
    if (at === undefined || name === undefined || version === undefined) continue
    const done = doings[verb]
    if (done !== undefined) actions.push({ at, package: name, ...done(version) })
    const replaced = replacing[verb]
    const last = actions.findLastIndex((one) => one.package === name && one.action === replaced)
    const action = actions[last]
    if (action !== undefined && action.from === undefined) actions[last] = { ...action, from: version }
  }
  return actions
}

const doings: Readonly<Record<string, (version: string) => Pick<LoggedAction, 'action' | 'from' | 'to'>>> = {
  Installed: (to) => ({ action: 'install', to }),
  Reinstall: (to) => ({ action: 'reinstall', to }),
  Upgrade: (to) => ({ action: 'upgrade', to }),
  Downgrade: (to) => ({ action: 'downgrade', to }),
  Erase: (from) => ({ action: 'remove', from }),
  Obsoleted: (from) => ({ action: 'remove', from }),
}
const replacing: Readonly<Record<string, string>> = {
  Reinstalled: 'reinstall',
  Upgraded: 'upgrade',
  Downgraded: 'downgrade',
}

/**
 * Commands that change packages: from `Command: dnf -y upgrade` to `RPM transaction over.`; those that did nothing are
 * left out.
 */
export function parseDnfLog(text: string): readonly LoggedRun[] {
  const runs: LoggedRun[] = []
  let commandLine: string | undefined
  let open: LoggedRun | undefined
  for (const line of text.split('\n')) {
    const { at, said } = entryIn(line)
    if (at === undefined) continue
    commandLine = /^Command: (.*)$/.exec(said)?.[1] ?? commandLine
    const base = /^Base command: (\S+)$/.exec(said)?.[1]
    // Others may run beside it: metadata is refreshed by a timer, and we ask for locks.
    if (base !== undefined && changingCommands.has(base))
      open = defined({ from: at, commandLine: sanitized(commandLine, 500) })
    if (said === 'RPM transaction over.' && open !== undefined) {
      runs.push({ ...open, to: at })
      open = undefined
    }
  }
  return open === undefined ? runs : [...runs, open]
}

const changingCommands: ReadonlySet<string> = new Set([
  'install',
  'reinstall',
  'upgrade',
  'upgrade-minimal',
  'downgrade',
  'remove',
  'autoremove',
  'distro-sync',
  'swap',
  'group',
  'module',
  'history',
  'system-upgrade',
  'offline-upgrade',
  'offline-distrosync',
  'builddep',
  'shell',
])

/** Each path is a command of its own, since rpm does not say of which path it speaks. */
const pathsAsked = 20

/** As `--file`, which rpm before 4.16 refuses for a file that is gone. */
async function ownersOf(path: string, query: Run, deadlineSeconds: number): Promise<readonly string[]> {
  const args = ['rpm', '--query', '--queryformat', '%{NAME}\\n', '--whatprovides', '--', path]
  const { code, stdout } = await query({ args, deadlineSeconds })
  return code === 0 ? stdout.split('\n').filter((name) => name !== '' && name.length <= 200) : []
}

function entryIn(line: string): { readonly at?: string | undefined; readonly said: string } {
  const [, time, zone, said = ''] =
    /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(Z|[+-]\d\d:?\d\d) [A-Z]+ (.*?)\s*$/.exec(line) ?? []
  return { at: isoTime(Date.parse(`${time}${zone?.replace(/^(...)(\d\d)$/, '$1:$2')}`)), said }
}
