// A fake: units of a world's root as plain values, behind the few systemctl verbs that the agent uses.
// Real systemd is tested in test/lab; this one is for the order of things and for units that die on demand.
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Command, CommandResult, Run } from '../../../shared/command.ts'

export type FakeUnit = {
  active: boolean
  enabled: boolean
  failed: boolean
  masked?: boolean
  stale?: boolean
  /** What kept it from being started last. */
  unmet?: string | undefined
  /** Since the host started. */
  wasActive?: boolean
  /** Of one that a generator made: its file. */
  source?: string
}

export type FakeSystemd = {
  readonly run: Run
  /** Verbs that change something, in order: `restart web.service`. */
  readonly log: string[]
  readonly units: Map<string, FakeUnit>
}

/**
 * A unit starts when its file in /etc/systemd/system of `root()`, or a package's, is there and does not say `broken`. Of conditions it knows
 * ConditionPathExists= and ExecCondition=/bin/test -e.
 */
export function fakeSystemd(root: () => string, otherwise: Run): FakeSystemd {
  const log: string[] = []
  const units = new Map<string, FakeUnit>()
  const unitOf = (name: string): FakeUnit => {
    const unit = units.get(name) ?? { active: false, enabled: false, failed: false }
    units.set(name, unit)
    return unit
  }
  const fragmentOf = (name: string) =>
    ['/etc/systemd/system', '/usr/lib/systemd/system']
      .map((directory) => `${directory}/${name}`)
      .find((path) => existsSync(join(root(), path)))
  const textOf = (name: string) => {
    const fragment = fragmentOf(name)
    return fragment === undefined ? undefined : readFileSync(join(root(), fragment), 'utf8')
  }
  // systemd takes an empty unit file for a mask, and unmasking removes it.
  const isMasked = (name: string) => unitOf(name).masked === true || textOf(name) === ''
  const unmetOf = (name: string) => {
    const [whole, path = '/'] =
      /^(?:ConditionPathExists=|ExecCondition=\/bin\/test -e )(.*)$/m.exec(textOf(name) ?? '') ?? []
    return existsSync(join(root(), path)) ? undefined : whole
  }
  const start = (name: string) => {
    const unit = unitOf(name)
    if (isMasked(name)) return false
    unit.unmet = unmetOf(name)
    if (unit.unmet !== undefined) {
      unit.active = false
      return true
    }
    const config = join(root(), 'etc', name.replace('.service', '.conf'))
    const broken = existsSync(config) && readFileSync(config, 'utf8').includes('broken')
    unit.active = textOf(name) !== undefined && !textOf(name)?.includes('broken') && !broken
    unit.failed = !unit.active
    unit.wasActive ||= unit.active
    return unit.active
  }
  const changes: Readonly<Record<string, (name: string) => boolean>> = {
    start: (name) => unitOf(name).active || start(name),
    restart: start,
    reload: (name) => unitOf(name).active,
    stop: (name) => {
      unitOf(name).active = false
      return true
    },
    enable: (name) => {
      unitOf(name).enabled = true
      return true
    },
    disable: (name) => {
      unitOf(name).enabled = false
      return true
    },
    mask: (name) => {
      unitOf(name).masked = true
      return true
    },
    unmask: (name) => {
      unitOf(name).masked = false
      const fragment = fragmentOf(name)
      if (fragment !== undefined && textOf(name) === '') rmSync(join(root(), fragment))
      return true
    },
    'reset-failed': (name) => {
      unitOf(name).failed = false
      return true
    },
  }
  const show = (name: string) => {
    const unit = unitOf(name)
    const isThere = textOf(name) !== undefined || unit.active
    return [
      `Id=${name}`,
      `LoadState=${isMasked(name) ? 'masked' : isThere ? 'loaded' : 'not-found'}`,
      `ActiveState=${unit.active ? 'active' : unit.failed ? 'failed' : 'inactive'}`,
      `SubState=${unit.active ? 'running' : 'dead'}`,
      `Type=${/^Type=(.*)$/m.exec(textOf(name) ?? '')?.[1] ?? 'notify'}`,
      `Result=${unit.unmet?.startsWith('Exec') === true ? 'exec-condition' : 'success'}`,
      `ConditionResult=${unit.unmet?.startsWith('Condition') === true ? 'no' : 'yes'}`,
      'ConditionTimestampMonotonic=1',
      `ActiveEnterTimestampMonotonic=${unit.wasActive || unit.active ? 1 : 0}`,
      'CanReload=yes',
      `FragmentPath=${fragmentOf(name) ?? ''}`,
      `NeedDaemonReload=${unit.stale ? 'yes' : 'no'}`,
    ].join('\n')
  }
  const enablement = (name: string) => {
    const { enabled } = unitOf(name)
    return isMasked(name) ? 'masked' : enabled ? 'enabled' : 'disabled'
  }
  const run: Run = async (command) => {
    if (command.args[0] === 'journalctl') return done(0)
    if (command.args[0] !== 'systemctl') return otherwise(command)
    const { verb, names } = verbOf(command)
    if (verb === 'show' && names[0] === '*.service')
      return done(0, [...units].map(([name, { source = '' }]) => `Id=${name}\nSourcePath=${source}`).join('\n\n'))
    if (verb === 'show') return done(0, names.map(show).join('\n\n'))
    if (verb === 'list-units') return done(0)
    if (verb === 'status') {
      const unmet = unitOf(names[0] ?? '').unmet
      return done(
        3,
        unmet?.startsWith('Condition') === true
          ? `  Condition: start condition unmet\n             └─ ${unmet} was not met`
          : '',
      )
    }
    if (verb === 'is-enabled') return done(0, names.map(enablement).join('\n'))
    log.push([verb, ...names].join(' '))
    if (verb === 'daemon-reload') for (const unit of units.values()) unit.stale = false
    return done(names.map((name) => changes[verb]?.(name) ?? true).every(Boolean) ? 0 : 1)
  }
  return { run, log, units }
}

function verbOf({ args }: Command): { readonly verb: string; readonly names: readonly string[] } {
  const [verb = '', ...names] = args.slice(1).filter((arg) => !arg.startsWith('-'))
  return { verb, names }
}

function done(code: number, stdout = ''): CommandResult {
  return { code, stdout: `${stdout}\n`, stderr: '' }
}
