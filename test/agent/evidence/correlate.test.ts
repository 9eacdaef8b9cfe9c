import { expect, test } from 'vitest'
import { maskedCommand } from '../../../agent/evidence/command-mask.ts'
import { correlated } from '../../../agent/evidence/correlate.ts'
import type { NewFinding, Surroundings } from '../../../agent/evidence/surroundings.ts'
import { maskFor } from '../../../agent/plan/mask.ts'
import { evidenceSchema } from '../../../shared/evidence.ts'
import { resourceId } from '../../../shared/names.ts'

const time = (text: string) => `2026-11-26T${text}.000Z`
const at = Date.parse(time('12:00:00'))
const found: NewFinding = { id: resourceId('file', '/etc/crontab'), path: '/etc/crontab', at }
const nothing: Surroundings = {
  logins: undefined,
  sudo: [],
  packageActions: [],
  packageRuns: [],
  owners: new Map(),
  audit: new Map(),
  userNames: new Map(),
  applies: [],
}
const telling = { now: at, mask: maskFor(['hunter2-value']) }
const told = (around: Partial<Surroundings>, of = found) => correlated(of, { ...nothing, ...around }, telling)

test('only sessions that were open then are told; none is told too, and is not the same as not known', () => {
  const sessions = [
    { user: 'anna', since: time('11:00:00') },
    { user: 'bob', since: time('11:00:00'), until: time('11:30:00') },
    { user: 'eve', since: time('12:10:00') },
  ]
  const knownSince = time('08:00:00')
  expect(told({ logins: { sessions, knownSince } }).sessions?.map(({ user }) => user)).toEqual(['anna'])
  expect(told({ logins: { sessions: [], knownSince } }).sessions).toEqual([])
  expect(told({ logins: { sessions: [], knownSince: time('12:30:00') } })).not.toHaveProperty('sessions')
  expect(told({ logins: { sessions: [] } })).not.toHaveProperty('sessions')
  expect(told({ logins: { sessions } }).sessions?.map(({ user }) => user)).toEqual(['anna'])
  expect(told({})).not.toHaveProperty('sessions')
})

test('a hundred sessions and commands are told within the bounds of a report', () => {
  const sessions = Array.from({ length: 100 }, (_, index) => ({ user: `user-${index}`, since: time('11:00:00') }))
  const sudo = sessions.map(({ user }) => ({ at: time('12:00:01'), user, command: 'x'.repeat(500) }))
  const audit = new Map([['/etc/crontab', sessions.map(() => ({ at: time('12:00:00'), loginUid: 1000 }))]])
  const evidence = told({ logins: { sessions, knownSince: time('08:00:00') }, sudo, audit })
  expect(evidence.sessions).toHaveLength(20)
  expect(evidenceSchema.parse(evidence)).toEqual(evidence)
})

test('sudo commands of the same minute are told, with secrets masked', () => {
  const command = (text: string, when: string) => ({ at: time(when), user: 'anna', as: 'root', command: text })
  const sudo = [
    command('/bin/early', '11:58:59'),
    command('/usr/bin/setpw hunter2-value', '11:59:30'),
    command('/bin/late', '12:01:01'),
  ]
  expect(told({ sudo }).sudo).toEqual([command('/usr/bin/setpw [secret]', '11:59:30')])
})

test('what the package manager did to the owner of the path is told, with the command that asked for it', () => {
  const action = (name: string, what: string, when: string) => ({ at: time(when), package: name, action: what })
  const around = {
    owners: new Map([['/etc/crontab', ['cron']]]),
    packageActions: [
      action('nginx', 'upgrade', '12:00:00'),
      { ...action('cron', 'upgrade', '11:59:58'), from: '1', to: '2' },
      action('cron', 'configure', '12:00:00'),
    ],
    packageRuns: [
      { from: time('10:00:00'), to: time('10:05:00'), commandLine: 'apt-get install vim' },
      { from: time('11:59:50'), commandLine: 'apt-get upgrade', requestedBy: 'anna (1000)' },
    ],
  }
  expect(told(around).packageAction).toEqual({
    package: 'cron',
    action: 'upgrade',
    from: '1',
    to: '2',
    at: time('11:59:58'),
    commandLine: 'apt-get upgrade',
    requestedBy: 'anna (1000)',
  })
  expect(told(around, { ...found, at: at + 3_600_000 })).not.toHaveProperty('packageAction')
  expect(told(around, { ...found, path: '/etc/motd' })).not.toHaveProperty('packageAction')
  const ofPackage: NewFinding = { id: resourceId('package', 'nginx'), package: 'nginx', at }
  expect(told(around, ofPackage).packageAction).toMatchObject({ package: 'nginx', action: 'upgrade' })
})

test('of what was done to a package within one second, the last is told', () => {
  const done = (action: string) => ({ at: time('12:00:00'), package: 'cron', action })
  const around = {
    owners: new Map([['/etc/crontab', ['cron']]]),
    packageActions: [done('upgrade'), done('downgrade'), done('configure')],
  }
  expect(told(around).packageAction?.action).toBe('downgrade')
})

test('audit names the user who logged in, or the number when it has no name', () => {
  const audit = new Map([
    [
      '/etc/crontab',
      [
        { at: time('12:00:00'), loginUid: 1000, executable: '/usr/bin/vi' },
        { at: time('12:00:00'), loginUid: 1001 },
      ],
    ],
  ])
  expect(told({ audit, userNames: new Map([[1000, 'anna']]) }).audit).toEqual([
    { at: time('12:00:00'), executable: '/usr/bin/vi', user: 'anna' },
    { at: time('12:00:00'), user: '1001' },
  ])
})

test('an apply that ended before, or that never ended long ago, was not running then', () => {
  const revision = '0'.repeat(40) as never
  const running = (startedAt: string, endedAt?: string) =>
    told({ applies: [{ startedAt, revision, ...(endedAt === undefined ? {} : { endedAt }) }] }).ownApply !== undefined
  expect(running(time('11:59:00'), time('12:00:01'))).toBe(true)
  expect(running(time('11:58:00'), time('11:59:00'))).toBe(false)
  expect(running(time('12:00:01'), time('12:00:09'))).toBe(false)
  expect(running(time('11:55:00'))).toBe(true)
  expect(running(time('11:00:00'))).toBe(false)
})

test.each([
  ['mysql --password=hunter9 -e x', 'mysql --password=[secret] -e x'],
  ['curl -H "Authorization: Bearer abc.def" x', 'curl -H "Authorization: Bearer [secret]" x'],
  ['git clone https://anna:pw@example.org/x', 'git clone https://anna:[secret]@example.org/x'],
  ['env API_TOKEN="a b c" run', 'env API_TOKEN=[secret] run'],
  ['tool --api-key 12345', 'tool --api-key [secret]'],
  ['sed -i s/a/b/ /etc/motd', 'sed -i s/a/b/ /etc/motd'],
])('what looks like a secret is not told: %s', (command, masked) => {
  expect(maskedCommand(command, maskFor([]))).toBe(masked)
})

test('where a secret is too short to be found, only the program is told', () => {
  expect(maskedCommand('/usr/bin/setpw abc', maskFor(['abc']))).toBe('/usr/bin/setpw')
})
