// Units watched after an apply. What systemctl prints is recorded from booted Debian 12 and 13 hosts, one property changed at a time;
// units that really crash are in test/lab/units.test.ts.
import { expect, test } from 'vitest'
import { watchUnits } from '../../../agent/host/watch-units.ts'
import type { Run } from '../../../shared/command.ts'

type Properties = Readonly<Record<string, string>>

/** `f.service` of a Debian 12 host, as `systemctl show` prints it. */
const up: Properties = {
  Type: 'simple',
  Result: 'success',
  NRestarts: '0',
  Id: 'f.service',
  Triggers: '',
  TriggeredBy: '',
  LoadState: 'loaded',
  ActiveState: 'active',
  SubState: 'running',
  UnitFileState: 'static',
  InvocationID: '2ac1dd6b5784486bb59d5f4abbbfcbb2',
}
const down = { ...up, ActiveState: 'inactive', SubState: 'dead' }
const crashed = { ActiveState: 'activating', SubState: 'auto-restart', Result: 'exit-code' }

/** What is said of one unit, that was in one state and is in another. */
async function said(before: Properties, now: Properties, name = 'f.service'): Promise<string | undefined> {
  let properties = before
  const query: Run = async ({ args }) => {
    if (args[0] === 'journalctl') return { code: 0, stdout: 'no such port\n', stderr: '' }
    if (args.includes('is-enabled')) return { code: 0, stdout: 'enabled\n', stderr: '' }
    const lines = Object.entries(properties).map(([key, value]) => `${key}=${value}\n`)
    return { code: 0, stdout: lines.join(''), stderr: '' }
  }
  const look = await watchUnits([name], query)
  properties = now
  return look()
}

const journal = '. The journal of f.service ends:\nno such port'

test.each([
  ['runs on', up, up],
  ['was restarted by a person', up, { ...up, InvocationID: '811b8844c7794b969b5201151ae17769' }],
  ['was restarted by a person after restarts by itself', { ...up, NRestarts: '3' }, { ...up, InvocationID: '811b' }],
  ['is being restarted by a person', up, { ...up, ActiveState: 'deactivating', SubState: 'stop-sigterm' }],
  ['is being started', up, { ...up, ActiveState: 'activating', SubState: 'start-pre' }],
  ['reloads', up, { ...up, ActiveState: 'reloading' }],
  ['restarted long ago', { ...up, NRestarts: '7' }, { ...up, NRestarts: '7' }],
  ['is a job that ended', { ...up, Type: 'oneshot', ActiveState: 'activating' }, { ...down, Type: 'oneshot' }],
  ['is a job that ended before', { ...down, Type: 'oneshot' }, { ...down, Type: 'oneshot' }],
  ['was not started, for a condition', { ...down, ConditionResult: 'no' }, { ...down, ConditionResult: 'no' }],
  [
    'was not started, for its ExecCondition=',
    { ...down, Result: 'exec-condition' },
    { ...down, Result: 'exec-condition' },
  ],
  ['went to rest until its socket wakes it', { ...up, TriggeredBy: 'f.socket' }, { ...down, TriggeredBy: 'f.socket' }],
  ['was never there', { LoadState: 'not-found' }, { LoadState: 'not-found' }],
])('a unit that %s is at fault with nothing', async (_, before, now) => {
  expect(await said(before, now)).toBeUndefined()
})

test.each([
  ['restarted once since the apply', up, { ...up, NRestarts: '1', InvocationID: 'e98e' }],
  ['restarted 2 times since the apply (exit-code)', up, { ...up, ...crashed, NRestarts: '2' }],
  ['restarted 2 times since the apply', { ...up, NRestarts: '5' }, { ...up, NRestarts: '2' }],
  ['failed and waits to be started again (exit-code)', up, { ...up, ...crashed }],
  [
    'failed and waits to be started again (signal)',
    up,
    { ...up, ...crashed, Result: 'signal', SubState: 'auto-restart-queued' },
  ],
  ['failed (exit-code)', up, { ...down, ActiveState: 'failed', SubState: 'failed', Result: 'exit-code' }],
  ['failed (start-limit-hit)', up, { ...down, ActiveState: 'failed', Result: 'start-limit-hit' }],
  ['is failing (exit-code)', up, { ...up, ActiveState: 'deactivating', SubState: 'stop-post', Result: 'exit-code' }],
  ['no longer runs', up, down],
  [
    'no longer runs: a condition of it does not hold',
    up,
    { ...down, ConditionResult: 'no', ConditionTimestampMonotonic: '1' },
  ],
  ['no longer runs: a condition of it does not hold', up, { ...down, Result: 'exec-condition' }],
  ['failed (exit-code)', { ...up, TriggeredBy: 'f.socket' }, { ...down, ActiveState: 'failed', Result: 'exit-code' }],
  [
    'failed (exit-code)',
    { ...down, Type: 'oneshot' },
    { ...down, Type: 'oneshot', ActiveState: 'failed', Result: 'exit-code' },
  ],
])('it is said that a unit %s, with the end of its journal', async (words, before, now) => {
  expect(await said(before, now)).toBe(`f.service ${words}${journal}`)
})

test.each([
  ['a service', 'f.service', down, 'f.service no longer runs'],
  ['a socket', 'f.socket', { ...down, Type: '', Id: 'f.socket' }, 'f.socket no longer runs'],
  ['a job', 'f.service', { ...down, Type: 'oneshot' }, undefined],
  ['a service that a socket starts', 'f.service', { ...down, TriggeredBy: 'f.socket' }, undefined],
])('%s that the apply started and that ended before the watch began', async (_, name, ended, fault) => {
  const query: Run = async ({ args }) => {
    if (args[0] !== 'systemctl') return { code: 0, stdout: '', stderr: '' }
    if (args.includes('is-enabled')) return { code: 0, stdout: 'enabled\n', stderr: '' }
    const lines = Object.entries({ ...ended, Id: name }).map(([key, value]) => `${key}=${value}\n`)
    return { code: 0, stdout: lines.join(''), stderr: '' }
  }
  const started = await watchUnits([name], query, new Set([name]))
  expect(await started()).toBe(fault)
  const untouched = await watchUnits([name], query)
  expect(await untouched()).toBeUndefined()
})

test('a timer that has nothing left to wait for rests; a socket or path that gave up has failed', async () => {
  const waiting = { ...up, Type: '', SubState: 'waiting', Triggers: 'f.service' }
  const elapsed = { ...waiting, ActiveState: 'inactive', SubState: 'dead' }
  expect(await said({ ...waiting, Id: 'f.timer' }, { ...elapsed, Id: 'f.timer' }, 'f.timer')).toBeUndefined()
  expect(await said(waiting, elapsed, 'f.socket')).toContain('f.socket no longer runs')
  const limited = { ...elapsed, ActiveState: 'failed', Result: 'unit-start-limit-hit' }
  expect(await said(waiting, limited, 'f.path')).toContain('f.path failed (unit-start-limit-hit)')
})

test('a template has no state of its own, its instances have', async () => {
  expect(await said(up, down, 'f@.service')).toBeUndefined()
  expect(await said(up, down, 'f@1.service')).toContain('f@1.service no longer runs')
})

test('of nothing nothing is asked', async () => {
  const never: Run = async () => {
    throw new Error('asked')
  }
  expect(await (await watchUnits([], never))()).toBeUndefined()
})
