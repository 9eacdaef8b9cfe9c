// systemd as the stages see it: the state of units in two reads, and the few verbs that change them.

import { type Command, type CommandResult, type Run, whyText } from '../../shared/command.ts'
import { PlumbError } from '../../shared/problem.ts'
import { loopRestarts, loopSeconds } from './restart-loops.ts'

export type UnitStatus = {
  /** As asked for; `id` is what an alias stands for. */
  readonly name: string
  readonly id: string
  /** `loaded`, `not-found`, `masked`, `bad-setting`, `error`. */
  readonly loadState: string
  /** `active`, `reloading`, `inactive`, `failed`, `activating`, `deactivating`. */
  readonly activeState: string
  /** `running`, `exited`, `dead`, `auto-restart`... */
  readonly subState: string
  /** `success`, `exit-code`, `start-limit-hit`... */
  readonly result: string
  /** Of the last run: its exit code, or the number of the signal that ended it. */
  readonly exitStatus: number
  /** `simple`, `oneshot`, `notify`...; empty for what is not a service. */
  readonly type: string
  readonly remainAfterExit: boolean
  /** As on disk now: `enabled`, `disabled`, `static`, `masked`, `not-found`... */
  readonly enablement: string
  readonly fragmentPath: string
  /** As systemd has read them. */
  readonly dropInPaths: readonly string[]
  readonly needsDaemonReload: boolean
  readonly canReload: boolean
  /** The last start was skipped because a Condition...= of the unit did not hold, or its ExecCondition= said no. */
  readonly conditionFailed: boolean
  /** It was up at some time since the host started. */
  readonly wasActive: boolean
  /** Changes with every start. */
  readonly invocation: string
  /** By systemd itself, since a person or an apply started it. */
  readonly restarts: number
  /** Restarted by systemd some times, the last time just now (restart-loops.ts). */
  readonly isInRestartLoop: boolean
  /** What a socket, timer or path unit starts. */
  readonly triggers: readonly string[]
  /** Sockets, timers and paths that start it. */
  readonly triggeredBy: readonly string[]
}

const properties = [
  'Id',
  'LoadState',
  'ActiveState',
  'SubState',
  'Result',
  'ExecMainStatus',
  'Type',
  'RemainAfterExit',
  'UnitFileState',
  'FragmentPath',
  'DropInPaths',
  'NeedDaemonReload',
  'CanReload',
  'ConditionResult',
  'ConditionTimestampMonotonic',
  'ActiveEnterTimestampMonotonic',
  'InvocationID',
  'NRestarts',
  'ExecMainStartTimestampMonotonic',
  'Triggers',
  'TriggeredBy',
]

/**
 * Two reads for all of them. `show` alone is not enough: the UnitFileState it prints is cached by PID 1 until the next
 * daemon-reload, so that a symlink removed by hand would not be seen; `is-enabled` reads the disk.
 */
export async function unitStatuses(names: readonly string[], query: Run): Promise<ReadonlyMap<string, UnitStatus>> {
  const shown = await shownUnits(names, query)
  const present = [...shown.values()].filter((unit) => unit.loadState !== 'not-found').map((unit) => unit.name)
  const asNamed = await enablementOf(present, query)
  // `is-enabled` says `alias` whether or not the unit behind it is enabled.
  const behind = [...shown.values()].filter(({ name, id }) => asNamed.get(name) === 'alias' && id !== name)
  const ids = [...new Set(behind.map(({ id }) => id))]
  const asMeant = await enablementOf(ids, query)
  const enablement = new Map([...asNamed, ...behind.map(({ name, id }) => [name, asMeant.get(id) ?? 'alias'] as const)])
  return new Map(
    names.map((name) => {
      const unit = shown.get(name) ?? absent(name)
      return [name, { ...unit, enablement: enablement.get(name) ?? (unit.enablement || 'not-found') }]
    }),
  )
}

/** `systemctl show`'s blocks, in the order asked. */
export function parseShow(names: readonly string[], stdout: string): ReadonlyMap<string, UnitStatus> {
  const blocks = stdout.split(/\n\n+/).filter((block) => block.trim() !== '')
  return new Map(names.map((name, index) => [name, statusOf(name, blocks[index] ?? '')]))
}

/** Names of the units in memory that match one of the patterns. */
export async function loadedUnits(patterns: readonly string[], query: Run): Promise<readonly string[]> {
  const command = systemctl(['list-units', '--all', '--full', '--plain', '--no-legend', '--', ...patterns])
  const result = await query(command)
  if (result.code !== 0) throw unreadable(command, result)
  // The name is preceded by a mark where the unit has failed.
  return result.stdout.split('\n').flatMap((line) => /^(?:\S\s+)?(\S+\.\S+)\s/.exec(line)?.[1] ?? [])
}

export function daemonReload(run: Run): Promise<void> {
  return succeed(['daemon-reload'], run, 'systemd could not read its units again')
}

/** All at once; `--now` is never used, since starting is a step of its own with its own errors. */
export async function enableUnits(names: readonly string[], run: Run): Promise<void> {
  if (names.length > 0) await succeed(['enable', '--quiet', '--', ...names], run, `${names.join(', ')} not enabled`)
}

/** Units whose file is gone are disabled too: their symlinks are removed. */
export async function disableUnits(names: readonly string[], run: Run): Promise<void> {
  if (names.length === 0) return
  await succeed(['disable', '--quiet', '--', ...names], run, `${names.join(', ')} not disabled`)
  await run({ args: ['systemctl', 'disable', '--quiet', '--runtime', '--', ...names] })
}

export async function maskUnits(names: readonly string[], run: Run): Promise<void> {
  if (names.length > 0) await succeed(['mask', '--quiet', '--', ...names], run, `${names.join(', ')} not masked`)
}

export async function unmaskUnits(names: readonly string[], run: Run): Promise<void> {
  if (names.length === 0) return
  await succeed(['unmask', '--quiet', '--', ...names], run, `${names.join(', ')} not unmasked`)
  await run({ args: ['systemctl', 'unmask', '--quiet', '--runtime', '--', ...names] })
}

/** Of what systemd restarted again and again: its count begins at nought. */
export async function forgetRestarts(names: readonly string[], run: Run): Promise<void> {
  if (names.length > 0) await run(systemctl(['reset-failed', '--', ...names]))
}

export async function stopUnits(names: readonly string[], run: Run): Promise<void> {
  if (names.length > 0) await succeed(['stop', '--', ...names], run, `${names.join(', ')} not stopped`, 300)
}

/** Of the unit's present run; empty when there is no journal. */
export async function journalEnd(name: string, run: Run): Promise<string> {
  const result = await run({ args: ['journalctl', '--quiet', '--no-pager', '-o', 'cat', '-n', '12', '-u', name] })
  return result.code === 0 ? result.stdout.trim() : ''
}

/** What kept a unit from being started: `ConditionPathExists=/etc/x`; undefined when systemd does not say. */
export async function unmetCondition(name: string, query: Run): Promise<string | undefined> {
  const { stdout } = await query(systemctl(['status', '--full', '--lines=0', '--', name]))
  return /^\W*(Condition\w+=.*) was not met$/m.exec(stdout)?.[1]
}

/** For what systemctl does not do by a function of its own here. */
export function systemctl(args: readonly string[], deadlineSeconds = 60): Command {
  return { args: ['systemctl', '--no-ask-password', '--no-pager', ...args], deadlineSeconds, outputLimitBytes: 4 << 20 }
}

/** Without their enablement, which takes a second read. */
export async function shownUnits(names: readonly string[], query: Run): Promise<ReadonlyMap<string, UnitStatus>> {
  // A template (`x@.service`) has no state, and one of them makes `show` fail for all.
  const templates = names.filter(isTemplate)
  const units = names.filter((name) => !isTemplate(name))
  if (units.length === 0) return new Map(templates.map((name) => [name, template(name)]))
  const command = systemctl(['show', `--property=${properties.join(',')}`, '--', ...units])
  const result = await query(command)
  if (result.code !== 0) throw unreadable(command, result)
  return new Map([...parseShow(units, result.stdout), ...templates.map((name) => [name, template(name)] as const)])
}

async function enablementOf(names: readonly string[], query: Run): Promise<ReadonlyMap<string, string>> {
  if (names.length === 0) return new Map()
  const result = await query(systemctl(['is-enabled', '--', ...names]))
  const lines = result.stdout.split('\n').filter((line) => line !== '')
  if (lines.length === names.length) return new Map(names.map((name, index) => [name, lines[index] ?? '']))
  const [only = ''] = names
  if (names.length === 1) return new Map(typeof result.code === 'number' ? [[only, 'not-found']] : [])
  // systemd 252 stops at the first unit without a file and prints nothing for it: asked one by one then.
  const each = await Promise.all(names.map((name) => enablementOf([name], query)))
  return new Map(each.flatMap((entries) => [...entries]))
}

function statusOf(name: string, block: string): UnitStatus {
  const fields = new Map(
    block.split('\n').map((line) => {
      const at = line.indexOf('=')
      return [line.slice(0, at), line.slice(at + 1)]
    }),
  )
  const field = (property: string) => fields.get(property) ?? ''
  return {
    name,
    id: field('Id') || name,
    loadState: field('LoadState') || 'not-found',
    activeState: field('ActiveState') || 'inactive',
    subState: field('SubState'),
    result: field('Result'),
    exitStatus: Number(field('ExecMainStatus')),
    type: field('Type'),
    remainAfterExit: field('RemainAfterExit') === 'yes',
    enablement: field('UnitFileState'),
    fragmentPath: field('FragmentPath'),
    dropInPaths: words(field('DropInPaths')),
    needsDaemonReload: field('NeedDaemonReload') === 'yes',
    canReload: field('CanReload') === 'yes',
    conditionFailed:
      field('Result') === 'exec-condition' ||
      (field('ConditionResult') === 'no' && Number(field('ConditionTimestampMonotonic')) > 0),
    wasActive: Number(field('ActiveEnterTimestampMonotonic')) > 0,
    invocation: field('InvocationID'),
    restarts: Number(field('NRestarts')),
    isInRestartLoop:
      Number(field('NRestarts')) >= loopRestarts &&
      monotonicSeconds() - Number(field('ExecMainStartTimestampMonotonic')) / 1e6 < loopSeconds,
    triggers: words(field('Triggers')),
    triggeredBy: words(field('TriggeredBy')),
  }
}

/** systemd's clock for what it calls monotonic. */
function monotonicSeconds(): number {
  return Number(process.hrtime.bigint()) / 1e9
}

function words(text: string): readonly string[] {
  return text.split(' ').filter((word) => word !== '')
}

function isTemplate(name: string): boolean {
  return /@\.[a-z]+$/.test(name)
}

export function absent(name: string): UnitStatus {
  return statusOf(name, '')
}

function template(name: string): UnitStatus {
  return { ...absent(name), loadState: 'template' }
}

async function succeed(args: readonly string[], run: Run, what: string, deadlineSeconds?: number): Promise<void> {
  const command = systemctl(args, deadlineSeconds)
  const result = await run(command)
  if (result.code === 0) return
  const why = whyText(command, result, firstLine(result))
  throw new PlumbError({
    code: 'apply-failed',
    message: `${what}: ${why}.`,
    remedy: `Try it by hand: systemctl ${args.filter((arg) => arg !== '--' && arg !== '--quiet').join(' ')}`,
  })
}

function unreadable(command: Command, result: CommandResult): PlumbError {
  const why = whyText(command, result, firstLine(result))
  return new PlumbError({
    code: 'observe-failed',
    message: `The state of units cannot be read: ${why}.`,
    remedy: 'Is systemd running here? See: systemctl status',
  })
}

/** What follows it is advice to see the status or the logs, which the remedy gives. */
export function firstLine(result: CommandResult): string {
  return result.stderr.trim().split('\n')[0]?.replace(/\.$/, '') ?? ''
}
