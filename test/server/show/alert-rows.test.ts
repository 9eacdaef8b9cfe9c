// Alerts in the one order that all pages and the API have, and one row for one cause on many hosts.
import { expect, test } from 'vitest'
import type { HostFacts } from '../../../server/judge/facts.ts'
import { judge } from '../../../server/judge/judge.ts'
import { alertRows } from '../../../server/show/alert-rows.ts'
import type { Alert } from '../../../server/store/alerts.ts'
import { hostNameSchema } from '../../../shared/names.ts'
import type { ServiceReport } from '../../../shared/report.ts'
import { findingOf, serviceOf, someRevision } from '../kit.ts'

const minute = (count: number) => new Date(Date.UTC(2026, 10, 23, 3, count)).toISOString()

function factsOf(host: string, services: readonly ServiceReport[], unheardForMs = 0): HostFacts {
  return {
    ...{ host: hostNameSchema.parse(host), revision: undefined, services, unheardForMs },
    ...{ problems: [], endedHolds: [], lastSeenAt: minute(0), heardSinceStart: true },
    ...{ given: undefined, isElsewhere: false, notGiven: [], isComparable: true, isNamed: true },
    ...{ uncheckedForMs: 0, checkedSinceStart: true },
  }
}

/** As opened one after the other, a minute apart. */
function alertsOf(hosts: readonly HostFacts[]): readonly Alert[] {
  const changes = judge({
    hosts,
    openAlerts: [],
    surroundings: { offlineAfterMs: 1, checkOverdueAfterMs: 1, repositoryInvalid: false },
  })
  return changes.flatMap((change, index) =>
    change.kind === 'open'
      ? [{ ...change.cause, id: index + 1, openedAt: minute(index), updatedAt: minute(index) }]
      : [],
  )
}

function sshd(live: string): ServiceReport {
  const differences = [{ name: 'content', expected: 'a', live }]
  return serviceOf('base', { findings: [{ ...findingOf('/etc/ssh/sshd_config', live), differences }] })
}

const names = Array.from({ length: 13 }, (_, index) => `web-${index + 1}`)

test('one change on thirteen hosts is one row that names them; what became something else is another', () => {
  const rows = alertRows(alertsOf([...names.map((name) => factsOf(name, [sshd('x')])), factsOf('db-1', [sshd('y')])]))

  expect(rows.find(({ hosts }) => hosts !== undefined)?.hosts).toEqual(names)
  expect(rows.map(({ title, hosts, host }) => [title, hosts?.length, host])).toEqual([
    ['db-1: base has drifted', undefined, 'db-1'],
    ['/etc/ssh/sshd_config has drifted on 13 hosts', 13, undefined],
  ])
  expect(rows[1]?.members).toHaveLength(13)
})

test.each<[string, (name: string) => HostFacts, string]>([
  ['silence', (name) => factsOf(name, [], 10), 'Nothing is heard of 13 hosts'],
  [
    'two resources',
    (name) => factsOf(name, [serviceOf('base', { findings: [findingOf('/etc/a', 'x'), findingOf('/etc/b', 'x')] })]),
    'base has drifted on 13 hosts',
  ],
  [
    'a failure',
    (name) =>
      factsOf(name, [
        serviceOf('base', {
          failure: {
            revision: someRevision,
            at: minute(0),
            step: 'check',
            problem: { code: 'check-failed', message: name },
            attempts: 1,
          },
        }),
      ]),
    'base could not be applied on 13 hosts',
  ],
  [
    'a problem',
    (name) => ({ ...factsOf(name, []), problems: [{ code: 'secret-missing', message: 'db is not set' }] }),
    'a secret is missing on 13 hosts',
  ],
])('%s of many hosts is one row', (_, facts, title) => {
  expect(alertRows(alertsOf(names.map(facts))).map((row) => row.title)).toEqual([title])
})

test('critical comes before newer ones that are not, then the newest, then what was resolved, the latest first', () => {
  const open = alertsOf([factsOf('offline-1', [], 10), factsOf('web-1', [sshd('a')]), factsOf('web-2', [sshd('b')])])
  const resolved = open.map((alert, index) => ({
    ...alert,
    id: 10 + index,
    resolvedAt: minute(30 + index),
    common: { key: `${index}`, title: '' },
  }))

  expect(alertRows([...resolved, ...open].toReversed()).map(({ id }) => id)).toEqual([1, 3, 2, 12, 11, 10])
})

test('what ended for another reason is a row of its own, and what is over has no ways out', () => {
  const [alert] = alertsOf([factsOf('web-1', [sshd('x')])])
  if (alert === undefined) throw new Error('no alert')
  const held = { kind: 'held', by: 'anna', until: minute(90) } as const
  const alerts = (['web-1', 'web-2', 'web-3', 'web-4'] as const).map((host, index) => ({
    ...{ ...alert, id: index + 1, host: hostNameSchema.parse(host), resolvedAt: minute(30) },
    end: index < 2 ? held : ({ kind: 'no-longer-true' } as const),
  }))

  const rows = alertRows(alerts)

  expect(rows.map(({ hosts, end }) => [hosts, end?.kind])).toEqual([
    [['web-3', 'web-4'], 'no-longer-true'],
    [['web-1', 'web-2'], 'held'],
  ])
  expect(alert.remedy).toContain('plumb apply')
  expect(rows.map(({ text }) => text).join()).not.toContain('plumb apply')
})

test('what ended together is one row, what ended an hour before is another', () => {
  const [alert] = alertsOf([factsOf('web-1', [sshd('x')])])
  if (alert === undefined) throw new Error('no alert')
  const ended = [
    ['web-1', 30],
    ['web-2', 31],
    ['web-3', 33],
    ['web-1', 90],
    ['web-2', 92],
  ] as const
  const alerts = ended.map(([host, at], index) => ({
    ...alert,
    id: index + 1,
    host: hostNameSchema.parse(host),
    resolvedAt: minute(at),
  }))

  expect(alertRows(alerts).map(({ hosts, resolvedAt }) => [hosts, resolvedAt])).toEqual([
    [['web-1', 'web-2'], minute(92)],
    [['web-1', 'web-2', 'web-3'], minute(33)],
  ])
})
