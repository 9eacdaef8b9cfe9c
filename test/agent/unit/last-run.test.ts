// Jobs that fail behind their timer, path or socket: a finding, with the end of the journal, until a later run has succeeded.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Earlier, withEarlierFindings } from '../../../agent/not-checked.ts'
import { failureLogs } from '../../../agent/observe/failure-logs.ts'
import { drifted } from '../../../agent/plan/compare.ts'
import type { Run } from '../../../shared/command.ts'
import { stateOf } from '../../../shared/report.ts'
import type { UnitResource } from '../../../shared/resource.ts'
import {
  applyIn,
  compareIn,
  desiredHost,
  idOf,
  makeWorld,
  outcome,
  planIn,
  reportsIn,
  service,
  type World,
} from '../apply/world.ts'

type Properties = Readonly<Record<string, string>>

let world: World
let units: Record<string, Properties>

const run: Run = async ({ args: [program = '', verb = '', ...args] }) => {
  if (program === 'journalctl') return { code: 0, stdout: `the journal of ${args.at(-1)}\n`, stderr: '' }
  const names = args.slice(args.indexOf('--') + 1)
  const show = (name: string) => {
    const own = { Id: name, LoadState: 'loaded', ActiveState: 'inactive', Result: 'success', ...units[name] }
    return Object.entries(own)
      .map(([property, value]) => `${property}=${value}`)
      .join('\n')
  }
  const stdout = verb === 'is-enabled' ? names.map(() => 'static').join('\n') : names.map(show).join('\n\n')
  return { code: 0, stdout: `${stdout}\n`, stderr: '' }
}

beforeEach(() => {
  units = { 'backup.timer': active('backup.service'), 'backup.service': job({}) }
  world = makeWorld({ run, capabilities: { units: true, commands: true } })
})
afterEach(() => world.remove())

const active = (triggers: string): Properties => ({ ActiveState: 'active', SubState: 'waiting', Triggers: triggers })
const job = (state: Properties, by = 'backup.timer'): Properties => ({ Type: 'oneshot', TriggeredBy: by, ...state })
const failed = { ActiveState: 'failed', Result: 'exit-code', ExecMainStatus: '3' }
const unit = (name: string, more: Partial<UnitResource> = {}): UnitResource => ({
  kind: 'unit',
  id: idOf('unit', name),
  name,
  ...more,
})
const starter = (name: string) => unit(name, { state: 'running' })

const backup = desiredHost([service('web', [starter('backup.timer'), unit('backup.service')])])

const failures: readonly (readonly [string, Properties, string])[] = [
  ['an exit code', failed, 'backup.service: its last run failed (exit code 3)'],
  ['a signal', { ...failed, Result: 'signal', ExecMainStatus: '9' }, 'backup.service: its last run failed (signal 9)'],
  ['a limit of time', { ...failed, Result: 'timeout' }, 'backup.service: its last run failed (timeout)'],
]

test.each(failures)(
  'a job that failed by %s is a finding of it, and no reason to run anything',
  async (_, state, summary) => {
    await applyIn(world, backup)
    units['backup.service'] = job(state)

    const [report] = await reportsIn(world, backup)
    const result = await applyIn(world, backup, { repair: 'everything' })

    expect(report?.findings).toMatchObject([{ resource: 'unit:backup.service', summary, kinds: ['unit-failed'] }])
    expect(report && stateOf(report)).toBe('drift')
    expect(outcome(result)).toEqual({ kind: 'unchanged', service: 'web' })
    expect((await planIn(world, backup)).services[0]?.leftAlone).toEqual(['unit:backup.service'])
  },
)

const starters: readonly (readonly [string, string])[] = [
  ['backup.timer', 'timer'],
  ['spool.path', 'path'],
  ['echo.socket', 'socket'],
]

test.each(starters)('%s: what it starts and nobody manages is a finding of the %s', async (name) => {
  const desired = desiredHost([service('web', [starter(name)])])
  units = { [name]: active('apt-daily.service'), 'apt-daily.service': job(failed, name) }

  const differing = (await compareIn(world, desired)).services.flatMap(drifted)

  expect(differing).toMatchObject([
    { id: `unit:${name}`, comparison: { drift: [{ name: 'last-run', live: 'exit code 3' }] } },
  ])
  const logs = await failureLogs(
    differing.map((one) => ({ ...one, differences: one.comparison.drift })),
    world.host,
  )
  expect([...logs]).toEqual([[`unit:${name}`, 'the journal of apt-daily.service']])
})

const well: readonly (readonly [string, Properties])[] = [
  ['succeeded, also with a SuccessExitStatus of its own', { Result: 'success', ExecMainStatus: '24' }],
  ['was skipped by a condition', { ConditionResult: 'no', ConditionTimestampMonotonic: '9' }],
  ['never ran', {}],
]

test.each(well)('a job that %s is no finding', async (_, state) => {
  await applyIn(world, backup)
  units['backup.service'] = job(state)

  expect((await compareIn(world, backup)).services.flatMap(drifted)).toEqual([])
})

test('a failure stays while the next run is under way, and ends with its success', async () => {
  await applyIn(world, backup)
  units['backup.service'] = job(failed)
  const earlier: Earlier = { services: await reportsIn(world, backup), at: '2026-11-23T03:00:00.000Z' }
  const next = async (state: Properties) => {
    units['backup.service'] = job(state)
    const inspection = { comparison: await compareIn(world, backup) }
    return withEarlierFindings(await reportsIn(world, backup), inspection, earlier)[0]?.findings
  }

  expect(await next({ ActiveState: 'activating', SubState: 'start' })).toEqual(earlier.services[0]?.findings)
  expect(await next({ ActiveState: 'active', SubState: 'running', Type: 'simple' })).toHaveLength(1)
  expect(await next({ ActiveState: 'inactive' })).toEqual([])
})

test('a service behind a socket that runs again is well', async () => {
  const desired = desiredHost([service('web', [starter('echo.socket'), unit('echo.service')])])
  units = { 'echo.socket': active('echo.service'), 'echo.service': job(failed, 'echo.socket') }
  const earlier: Earlier = { services: await reportsIn(world, desired), at: '2026-11-23T03:00:00.000Z' }
  expect(earlier.services[0]?.findings).toHaveLength(1)

  units['echo.service'] = job({ ActiveState: 'active', SubState: 'running', Type: 'simple' }, 'echo.socket')
  const inspection = { comparison: await compareIn(world, desired) }

  expect(withEarlierFindings(await reportsIn(world, desired), inspection, earlier)[0]?.findings).toEqual([])
})
