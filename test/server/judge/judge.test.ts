import { expect, test } from 'vitest'
import { contactLost } from '../../../agent/apply/guard.ts'
import type { FleetFacts, HostFacts } from '../../../server/judge/facts.ts'
import { type AlertChange, type Facts, judge } from '../../../server/judge/judge.ts'
import type { Alert } from '../../../server/store/alerts.ts'
import type { RecordedEnd } from '../../../server/store/holds.ts'
import { diffLimitBytes } from '../../../shared/finding.ts'
import { hostNameSchema, serviceNameSchema } from '../../../shared/names.ts'
import type { Problem } from '../../../shared/problem.ts'
import type { ServiceReport } from '../../../shared/report.ts'
import { findingOf, serviceOf, someRevision } from '../kit.ts'

const short = someRevision.slice(0, 7)
const web1 = hostNameSchema.parse('web-1')
const calm: HostFacts = {
  host: web1,
  revision: undefined,
  services: [serviceOf('nginx')],
  given: [serviceNameSchema.parse('nginx')],
  isElsewhere: false,
  notGiven: [],
  isComparable: true,
  isNamed: true,
  problems: [],
  endedHolds: [],
  lastSeenAt: '2026-11-23T03:00:00.000Z',
  unheardForMs: 0,
  heardSinceStart: true,
  uncheckedForMs: 0,
  checkedSinceStart: true,
}
const quiet: FleetFacts = {
  invalid: [],
  unreachable: undefined,
  channelProblems: [],
  refusedEnrollments: [],
  quarantinedDatabases: [],
}
const drifting: HostFacts = {
  ...calm,
  services: [serviceOf('nginx', { findings: [findingOf('/etc/nginx/nginx.conf', 'x')] })],
}
const failed = {
  revision: someRevision,
  at: '2026-11-23T02:00:00.000Z',
  step: 'check',
  problem: { code: 'check-failed', message: 'it answers with 502' },
  attempts: 2,
} as const
const unreachable: Problem = {
  code: 'repository-unreachable',
  message: 'no route to forge',
  remedy: 'Look at the network.',
}

test('a fleet in sync raises nothing', () => {
  expect(judged({ hosts: [calm], fleet: quiet })).toEqual([])
})

test('drift is one alert for a service and host, with every diff of it', () => {
  const findings = [findingOf('/etc/a', 'one'), findingOf('/etc/b', 'two')]

  const [change, ...more] = judged({ hosts: [{ ...calm, services: [serviceOf('nginx', { findings })] }] })

  expect(more).toEqual([])
  expect(change).toMatchObject({
    kind: 'open',
    cause: {
      key: 'drift:web-1:nginx',
      severity: 'warning',
      title: 'web-1: nginx has drifted',
      text: '/etc/a: content differs\n/etc/b: content differs',
      remedy: 'To keep it on web-1: plumb adopt nginx\nTo repair it on web-1: plumb apply',
    },
  })
  expect(causeOf(change).diff).toMatch(/\+one\n--- \/etc\/b\n[\s\S]*\+two\n$/)
})

test('a repair loop has its own alert, beside the drift of other resources', () => {
  const loop = { repairs: 3, since: '2026-11-23T02:50:00.000Z' }
  const findings = [{ ...findingOf('/etc/a', 'one'), fight: loop }, findingOf('/etc/b', 'two')]

  const changes = judged({ hosts: [{ ...calm, services: [serviceOf('nginx', { findings })] }] })

  expect(changes.map(causeOf)).toMatchObject([
    { key: 'drift:web-1:nginx', text: '/etc/b: content differs' },
    {
      key: 'fight:web-1:nginx',
      kind: 'fight',
      severity: 'critical',
      text: '/etc/a: content differs\n  repaired 3 times since 2026-11-23 02:50:00 UTC, and changed again each time: no longer repaired',
      diff: expect.stringContaining('+one'),
    },
  ])
  const held = { by: 'anna', why: 'x', until: '2026-11-23T05:00:00.000Z' }
  expect(judged({ hosts: [{ ...calm, services: [serviceOf('nginx', { findings, hold: held })] }] })).toEqual([])
})

test('the evidence of the first five findings is shown below them', () => {
  const sessions = [{ user: 'anna', from: '10.0.0.5', service: 'ssh', since: '2026-11-23T02:50:00.000Z' }]
  const evidence = { changedAt: '2026-11-23T02:59:00.000Z', sessions }
  const findings = ['/etc/a', '/etc/b', '/etc/c', '/etc/d', '/etc/e', '/etc/f'].map((path) => ({
    ...findingOf(path, 'x'),
    evidence,
  }))

  const [change] = judged({ hosts: [{ ...calm, services: [serviceOf('nginx', { findings })] }] })

  const lines = change === undefined ? [] : causeOf(change).text.split('\n')
  expect(lines.slice(0, 2)).toEqual([
    '/etc/a: content differs',
    '  changed 2026-11-23 02:59:00 UTC; logged in then: anna from 10.0.0.5 (ssh, since 2026-11-23 02:50:00 UTC)',
  ])
  expect(lines.slice(8)).toEqual(['/etc/e: content differs', lines[1], '/etc/f: content differs'])
})

test('an alert that is open already is not opened again', () => {
  expect(judged({ hosts: [drifting], openAlerts: opened({ hosts: [drifting] }) })).toEqual([])
})

test('a changed diff updates the open alert', () => {
  const other = { ...calm, services: [serviceOf('nginx', { findings: [findingOf('/etc/nginx/nginx.conf', 'y')] })] }

  expect(judged({ hosts: [other], openAlerts: opened({ hosts: [drifting] }) }).map(({ kind }) => kind)).toEqual([
    'update',
  ])
})

test('an alert whose cause is gone is resolved', () => {
  expect(judged({ hosts: [calm], openAlerts: opened({ hosts: [drifting] }) })).toMatchObject([
    { kind: 'resolve', alert: { key: 'drift:web-1:nginx' } },
  ])
})

test('the alerts of a removed host are resolved', () => {
  expect(judged({ hosts: [], openAlerts: opened({ hosts: [drifting] }) }).map(({ kind }) => kind)).toEqual(['resolve'])
})

const hold = { by: 'anna', why: 'a fix', until: '2026-11-23T05:00:00.000Z' }
const heldEnd = { kind: 'held', by: 'anna', until: '2026-11-23T05:00:00.000Z' }
const fought = { ...findingOf('/etc/a', 'x'), fight: { repairs: 3, since: '2026-11-23T02:50:00.000Z' } }

test.each<[string, readonly HostFacts[], object]>([
  ['repaired', [calm], { kind: 'no-longer-true' }],
  ['repaired and held', [{ ...calm, services: [serviceOf('nginx', { hold })] }], { kind: 'no-longer-true' }],
  ['held', [{ ...drifting, services: drifting.services.map((one) => ({ ...one, hold })) }], heldEnd],
  [
    'repaired beside a held one',
    [{ ...calm, services: [serviceOf('nginx'), serviceOf('b', { hold })] }],
    { kind: 'no-longer-true' },
  ],
  [
    'given to the host no longer',
    [{ ...drifting, services: [], given: [], notGiven: drifting.services, isComparable: false }],
    { kind: 'service-left' },
  ],
  ['neither given to the host nor on it', [{ ...calm, services: [], given: [] }], { kind: 'service-left' }],
  ['on a host that was removed', [], { kind: 'host-removed' }],
])('the drift of a service ends with its reason: %s', (_what, hosts, end) => {
  const changes = judged({ hosts, openAlerts: opened({ hosts: [drifting] }) })

  expect(changes).toMatchObject([{ kind: 'resolve', alert: { key: 'drift:web-1:nginx' }, end }])
})

test.each<[string, Partial<HostFacts>]>([
  ['says nothing of the service', { services: [] }],
  ['says nothing of it while the repository is not known', { services: [], given: undefined }],
  ['is at a revision that is not in the repository', { isElsewhere: true }],
])('the drift of a service does not end while its host %s', (_what, change) => {
  expect(judged({ hosts: [{ ...calm, ...change }], openAlerts: opened({ hosts: [drifting] }) })).toEqual([])
})

test.each<[string, Partial<ServiceReport>, object]>([
  ['fight', { findings: [fought] }, heldEnd],
  ['apply-failed', { failure: failed }, { kind: 'no-longer-true' }],
])('the alert %s of a service that is held and works says what ended it', (kind, out, end) => {
  const openAlerts = opened({ hosts: [{ ...calm, services: [serviceOf('nginx', out)] }] })
  const { failure: _failure, ...held } = { ...serviceOf('nginx', out), hold }

  const changes = judged({ hosts: [{ ...calm, services: [held] }], openAlerts })

  expect(changes).toMatchObject([{ kind: 'resolve', alert: { kind }, end }])
})

test('a held service opens no drift alert', () => {
  const hold = { by: 'ann', why: 'the disk is being replaced', until: '2026-11-24T00:00:00Z' }
  const held = drifting.services.map((service) => ({ ...service, hold }))

  expect(judged({ hosts: [{ ...drifting, services: held }] })).toEqual([])
})

const ended: RecordedEnd = {
  host: web1,
  service: serviceNameSchema.parse('nginx'),
  by: 'ann@web-1',
  why: 'the disk is being replaced',
  since: '2026-11-23T01:00:00.000Z',
  until: '2026-11-23T03:00:00.000Z',
  findings: 2,
  pending: 1,
  notified: false,
}

const failure = {
  revision: someRevision,
  at: '2026-11-23T02:00:00.000Z',
  step: 'check http http://127.0.0.1/healthz',
  problem: { code: 'check-failed', message: 'it answers with 502' },
  attempts: 2,
} as const

test.each<[string, Partial<ServiceReport>]>([
  ['a check', { failure }],
  ['lost contact', { failure: { ...failure, problem: contactLost } }],
  ['a service that was never applied', { failure, applied: undefined }],
])('no alert of a service that fails by %s names an apply', (_, failed) => {
  const findings = [findingOf('/etc/nginx/nginx.conf', 'x')]
  const fought = { ...findingOf('/etc/nginx/b.conf', 'x'), fight: { repairs: 3, since: '2026-11-23T02:00:00.000Z' } }
  const pending = [{ resource: fought.resource, summary: '/etc/nginx/b.conf: content differs' }]
  const services = [serviceOf('nginx', { findings: [...findings, fought], pending, ...failed })]
  const host = { ...calm, revision: someRevision, services, endedHolds: [ended] }

  const causes = judged({ hosts: [host] }).map(causeOf)

  expect(causes.map(({ kind }) => kind)).toEqual(['drift', 'fight', 'apply-failed', 'hold-expired'])
  expect(causes.filter(({ remedy }) => remedy?.includes('plumb apply'))).toEqual([])
})

test('a failure beside a drift updates the recorded remedy without sending a message', () => {
  const openAlerts = opened({ hosts: [{ ...drifting, revision: someRevision }] })
  const services = drifting.services.map((service) => ({ ...service, failure }))

  const changes = judged({ hosts: [{ ...drifting, revision: someRevision, services }], openAlerts })

  expect(changes.map((change) => [change.kind, causeOf(change).kind])).toEqual([
    ['amend', 'drift'],
    ['open', 'apply-failed'],
  ])
  expect(openAlerts[0]?.remedy).toContain('plumb apply')
  expect(changes.map((change) => causeOf(change).remedy).join()).not.toContain('plumb apply')
})

test('the alert of a failure in a held service begins with the hold', () => {
  const hold = { by: 'ann', why: 'the disk is being replaced', until: '2026-11-24T00:00:00Z', targets: ['*' as const] }
  const services = drifting.services.map((service) => ({ ...service, failure, hold }))

  const [change] = judged({ hosts: [{ ...drifting, services }] })

  expect(change && causeOf(change).remedy?.split('\n')).toEqual([
    "To end the hold of nginx on web-1: plumb release '*'",
    'Fix and push; the service is retried with the next commit.',
  ])
})

test('the alert of an expired hold says who held, why, since when, and what differs', () => {
  const [change] = judged({ hosts: [{ ...calm, endedHolds: [ended] }] })

  expect(change).toMatchObject({
    kind: 'open',
    cause: {
      key: 'hold-expired:web-1:nginx:2026-11-23T03:00:00.000Z',
      kind: 'hold-expired',
      severity: 'warning',
      service: 'nginx',
      title: 'web-1: the hold of nginx has ended',
      text: 'Held by ann@web-1 from 2026-11-23 01:00:00 UTC until 2026-11-23 03:00:00 UTC: the disk is being replaced\nThe normal policy applies again. At its end: 2 findings, 1 change pending.',
    },
  })
})

test('a hold released on the host opens no alert', () => {
  expect(judged({ hosts: [{ ...calm, endedHolds: [{ ...ended, releasedBy: 'ben@web-1' }] }] })).toEqual([])
})

test('the end of a hold is notified once, and its alert is open while the service is out of sync', () => {
  const notified = { ...ended, notified: true }
  const findings = [findingOf('/etc/nginx/nginx.conf', 'x')]
  const out = { ...calm, services: [serviceOf('nginx', { findings })] }
  const openAlerts = opened({ hosts: [{ ...out, endedHolds: [ended] }] })
  const kindsOf = (facts: Partial<Facts>) => judged(facts).map(({ kind }) => kind)

  expect(openAlerts.map(({ kind }) => kind)).toEqual(['drift', 'hold-expired'])
  expect(kindsOf({ hosts: [{ ...out, endedHolds: [notified] }], openAlerts })).toEqual([])
  expect(kindsOf({ hosts: [{ ...calm, endedHolds: [notified] }], openAlerts })).toEqual(['resolve', 'resolve'])
  const again = { ...out, services: [serviceOf('nginx', { findings, hold: { by: 'b', why: 'w', until: 'u' } })] }
  expect(judged({ hosts: [{ ...again, endedHolds: [notified] }], openAlerts })).toMatchObject([
    { kind: 'resolve', end: { kind: 'held', by: 'b', until: 'u' } },
    { kind: 'resolve', end: { kind: 'held', by: 'b', until: 'u' } },
  ])
  // Drift on a later day does not concern that hold.
  expect(judged({ hosts: [{ ...out, endedHolds: [notified] }] }).map((change) => causeOf(change).kind)).toEqual([
    'drift',
  ])
})

test('a hold of all services is one alert, open until the last service is in sync', () => {
  const all = { ...ended, service: '*' as const }
  const services = [serviceOf('base'), serviceOf('nginx', { findings: [findingOf('/etc/a', 'x')] })]
  const openAlerts = opened({ hosts: [{ ...calm, services, endedHolds: [all] }] })

  expect(openAlerts.map(({ title }) => title)).toContain('web-1: the hold of all services has ended')
  expect(judged({ hosts: [{ ...calm, services, endedHolds: [{ ...all, notified: true }] }], openAlerts })).toEqual([])
})

test('a failed apply names the step and the problem, and another attempt changes nothing', () => {
  const failing = (attempts: number): HostFacts => {
    const problem: Problem = {
      code: 'validation-failed',
      message: 'unknown directive "tsl"',
      where: { file: '/etc/nginx/nginx.conf', line: 12 },
    }
    const failure = {
      revision: someRevision,
      at: '2026-11-23T03:00:00Z',
      step: 'validate /etc/nginx/nginx.conf',
      problem,
      attempts,
    }
    return { ...calm, services: [serviceOf('nginx', { failure })] }
  }

  expect(causeOf(judged({ hosts: [failing(1)] })[0])).toMatchObject({
    kind: 'apply-failed',
    severity: 'critical',
    text: `Revision ${short} failed at "validate /etc/nginx/nginx.conf": /etc/nginx/nginx.conf:12: unknown directive "tsl"\nIt runs on with revision ${short}.`,
  })
  expect(judged({ hosts: [failing(2)], openAlerts: opened({ hosts: [failing(1)] }) })).toEqual([])
})

test('a host is offline once the limit is reached', () => {
  expect(judged({ hosts: [{ ...calm, unheardForMs: 89_999 }] })).toEqual([])
  expect(judged({ hosts: [{ ...calm, unheardForMs: 90_000 }] })).toMatchObject([
    {
      kind: 'open',
      cause: { kind: 'host-offline', text: 'Nothing was received from web-1 since 2026-11-23 03:00:00 UTC.' },
    },
  ])
})

test('a server that has just started resolves no offline alert', () => {
  const openAlerts = opened({ hosts: [{ ...calm, unheardForMs: 100_000 }] })

  expect(judged({ hosts: [{ ...calm, heardSinceStart: false }], openAlerts })).toEqual([])
  expect(judged({ hosts: [calm], openAlerts }).map(({ kind }) => kind)).toEqual(['resolve'])
})

test('a connected agent that finishes no check is an alert; an offline one is not', () => {
  const overdue = { ...calm, uncheckedForMs: 900_000 }
  const kinds = (facts: HostFacts) => judged({ hosts: [facts] }).map((change) => causeOf(change).kind)

  expect(kinds({ ...overdue, uncheckedForMs: 899_999 })).toEqual([])
  expect(kinds(overdue)).toEqual(['check-overdue'])
  expect(kinds({ ...overdue, unheardForMs: 90_000 })).toEqual(['host-offline'])
  const openAlerts = opened({ hosts: [overdue] })
  expect(judged({ hosts: [overdue], openAlerts })).toEqual([])
  expect(judged({ hosts: [{ ...calm, checkedSinceStart: false }], openAlerts })).toEqual([])
  expect(judged({ hosts: [calm], openAlerts }).map(({ kind }) => kind)).toEqual(['resolve'])
})

test('many problems of one kind on one host are one alert', () => {
  const missing = (name: string): Problem => ({
    code: 'secret-missing',
    message: `secret "${name}" is not set`,
    remedy: 'plumb secret set',
  })

  const causes = judged({ hosts: [{ ...calm, problems: [missing('a'), missing('b'), unreachable] }] }).map(causeOf)

  expect(causes.map(({ key }) => key)).toEqual([
    'agent-problem:web-1:secret-missing',
    'agent-problem:web-1:repository-unreachable',
  ])
  expect(causes[0]).toMatchObject({ text: 'secret "a" is not set\nsecret "b" is not set', remedy: 'plumb secret set' })
})

test('an invalid repository is one alert, not one per host', () => {
  const invalid: Problem[] = [
    { code: 'repository-invalid', message: 'unknown key "tempalte"', where: { file: 'plumb.yaml', line: 3 } },
  ]
  const hosts = [{ ...calm, problems: invalid }]
  const surroundings = { offlineAfterMs: 90_000, checkOverdueAfterMs: 900_000, repositoryInvalid: true }

  expect(judged({ hosts, fleet: { ...quiet, invalid }, surroundings }).map((change) => causeOf(change).key)).toEqual([
    'repository-invalid',
  ])
})

test('fleet alerts stay unchanged when only hosts are judged', () => {
  const openAlerts = opened({ hosts: [], fleet: { ...quiet, unreachable } })

  expect(openAlerts).toHaveLength(1)
  expect(judged({ hosts: [calm], openAlerts: [] })).toEqual([])
})

test('every condition has a remedy', () => {
  const everything: FleetFacts = {
    invalid: [{ code: 'repository-invalid', message: 'm' }],
    unreachable,
    channelProblems: [{ key: 'k', message: 'no such secret', remedy: 'Write it.' }],
    refusedEnrollments: [{ cause: 'token:1', host: web1, reason: 'the token is used up', address: '10.77.0.9' }],
    quarantinedDatabases: ['/var/lib/plumb-server/plumb.sqlite.corrupt-x'],
  }

  const host = { ...drifting, unheardForMs: 1e9, uncheckedForMs: 1e9, problems: [unreachable], endedHolds: [ended] }
  const causes = judged({ hosts: [host], fleet: everything }).map(causeOf)

  expect(causes.map(({ kind }) => kind)).toEqual([
    ...['drift', 'hold-expired', 'host-offline', 'agent-problem'],
    ...['repository-invalid', 'repository-unreachable', 'enrollment-refused', 'channel-unusable', 'database-set-aside'],
  ])
  for (const cause of causes) expect(cause.remedy).toMatch(/\S{2}/)
})

test('the values of a JSON or YAML file that differ stand before its lines, also where those are missing', () => {
  const changes = [{ path: 'panels[0].title', kind: 'changed' as const, expected: '"a"', live: '"b"' }]
  const { diff: _, ...withoutDiff } = findingOf('/etc/b.json', 'y')
  const findings = [
    { ...findingOf('/etc/a.json', 'x'), changes },
    { ...withoutDiff, changes: Array.from({ length: 30 }, () => ({ path: 'k', kind: 'added' as const, live: '1' })) },
  ]

  const { diff = '' } = causeOf(judged({ hosts: [{ ...calm, services: [serviceOf('nginx', { findings })] }] })[0])

  expect(diff).toMatch(/^file:\/etc\/a\.json\n~ panels\[0\]\.title: "a" -> "b"\n--- \/etc\/a\.json\n/)
  expect(diff).toMatch(/\nfile:\/etc\/b\.json\n(?:\+ k: 1\n){20}\.\.\. and 10 more values\n$/)
})

test('a diff beyond the limit is cut, and the cut is declared', () => {
  const findings = Array.from({ length: 40 }, (_, index) => findingOf(`/etc/f${index}`, 'x'.repeat(20_000)))

  const { diff = '', text } = causeOf(judged({ hosts: [{ ...calm, services: [serviceOf('nginx', { findings })] }] })[0])

  expect(diff.length).toBeLessThan(diffLimitBytes + 200)
  expect(diff).toMatch(/\[the diffs of \d+ more resources are left out\]\n$/)
  expect(text).toMatch(/and 20 more$/)
})

function judged(facts: Partial<Facts>): readonly AlertChange[] {
  return judge({
    hosts: [],
    openAlerts: [],
    surroundings: { offlineAfterMs: 90_000, checkOverdueAfterMs: 900_000, repositoryInvalid: false },
    ...facts,
  })
}

/** The alerts as stored after these facts were judged. */
function opened(facts: Partial<Facts>): readonly Alert[] {
  const at = '2026-11-23T03:00:00.000Z'
  return judged(facts).map((change, id) => ({ ...causeOf(change), id, openedAt: at, updatedAt: at }))
}

function causeOf(change: AlertChange | undefined) {
  if (change === undefined || change.kind === 'resolve') throw new Error('expected an alert to be opened or updated')
  return change.cause
}

test('services that are not assigned to a host are one alert, with their failures', () => {
  const made = Array.from({ length: 100 }, (_, n) => serviceOf(`s${n}`, { findings: [findingOf('/etc/x', 'one')] }))
  const stuck = { ...drifting, services: [], notGiven: [...made.slice(0, 99), failing('s99')] }

  const [change, ...more] = judged({ hosts: [stuck] })

  expect(more).toEqual([])
  expect(change).toMatchObject({ kind: 'open', cause: { key: 'services-not-given:web-1', severity: 'warning' } })
  expect(causeOf(change).text.split('\n')).toHaveLength(21)
  expect(causeOf(judged({ hosts: [{ ...calm, notGiven: [failing('old')] }] })[0]).text).toBe('old: cannot be removed')
})

test.each<[string, Partial<HostFacts>]>([
  ['a removal waits', { problems: [{ code: 'removal-waits', message: 'this revision removes 3 of 4 services' }] }],
  ['the host is not named', { problems: [{ code: 'host-unknown', message: 'there is no host "web-1"' }] }],
  ['the host is not named and has not said so yet', { isNamed: false }],
])('unassigned services are no alert while %s, which has its own alert', (_what, more) => {
  const left = { ...calm, notGiven: [serviceOf('old')] }
  const openAlerts = opened({ hosts: [left] })

  const changes = judged({ hosts: [{ ...left, ...more }], openAlerts })

  expect(openAlerts.map(({ kind }) => kind)).toEqual(['services-not-given'])
  expect(changes.filter((change) => change.kind !== 'resolve').map((change) => causeOf(change).kind)).toEqual(
    (more.problems ?? []).map(() => 'agent-problem'),
  )
  expect(changes.filter(({ kind }) => kind === 'resolve')).toMatchObject([{ alert: { kind: 'services-not-given' } }])
})

test('a host at another revision may have services that the head does not assign', () => {
  const ahead = { ...calm, notGiven: [serviceOf('new')], isComparable: false }
  const openAlerts = opened({ hosts: [{ ...ahead, isComparable: true }] })

  expect(judged({ hosts: [ahead] })).toEqual([])
  expect(judged({ hosts: [ahead], openAlerts })).toEqual([])
  expect(judged({ hosts: [calm], openAlerts })).toMatchObject([{ kind: 'resolve' }])
})

function failing(name: string) {
  const problem = { code: 'apply-failed' as const, message: 'cannot be removed' }
  return serviceOf(name, { failure: { revision: someRevision, at: 'x', step: 'remove', problem, attempts: 1 } })
}
