import { expect, test } from 'vitest'
import type { FleetFacts, HostFacts } from '../../../server/judge/conditions.ts'
import { type AlertChange, type Facts, judge } from '../../../server/judge/judge.ts'
import type { Alert } from '../../../server/store/alerts.ts'
import type { RecordedEnd } from '../../../server/store/holds.ts'
import { diffLimitBytes } from '../../../shared/finding.ts'
import { hostNameSchema, serviceNameSchema } from '../../../shared/names.ts'
import type { Problem } from '../../../shared/problem.ts'
import { findingOf, serviceOf, someRevision } from '../kit.ts'

const web1 = hostNameSchema.parse('web-1')
const calm: HostFacts = {
  host: web1,
  services: [serviceOf('nginx')],
  problems: [],
  endedHolds: [],
  lastSeenAt: '2026-11-23T03:00:00.000Z',
  silentForMs: 0,
  heardSinceStart: true,
}
const quiet: FleetFacts = {
  invalid: [],
  unreachable: undefined,
  channelProblems: [],
  refusedEnrolments: [],
  databasesSetAside: [],
}
const drifting: HostFacts = {
  ...calm,
  services: [serviceOf('nginx', { findings: [findingOf('/etc/nginx/nginx.conf', 'x')] })],
}
const unreachable: Problem = {
  code: 'repository-unreachable',
  message: 'no route to forge',
  remedy: 'Look at the network.',
}

test('a fleet in plumb raises nothing', () => {
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
      remedy: 'To keep it on web-1: plumb adopt nginx\nTo put it back on web-1: plumb apply',
    },
  })
  expect(causeOf(change).diff).toMatch(/\+one\n--- \/etc\/b\n[\s\S]*\+two\n$/)
})

test('a fight is an alert of its own, beside the drift of what is not fought over', () => {
  const fight = { repairs: 3, since: '2026-11-23T02:50:00.000Z' }
  const findings = [{ ...findingOf('/etc/a', 'one'), fight }, findingOf('/etc/b', 'two')]

  const changes = judged({ hosts: [{ ...calm, services: [serviceOf('nginx', { findings })] }] })

  expect(changes.map(causeOf)).toMatchObject([
    { key: 'drift:web-1:nginx', text: '/etc/b: content differs' },
    {
      key: 'fight:web-1:nginx',
      kind: 'fight',
      severity: 'critical',
      text: '/etc/a: content differs\n  put back 3 times since 2026-11-23 02:50:00 UTC, and changed again each time: it is not put back any more',
      diff: expect.stringContaining('+one'),
    },
  ])
  const held = { by: 'anna', why: 'x', until: '2026-11-23T05:00:00.000Z' }
  expect(judged({ hosts: [{ ...calm, services: [serviceOf('nginx', { findings, hold: held })] }] })).toEqual([])
})

test('the evidence of a finding is told below it, of the first five', () => {
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

test('a held service is left alone', () => {
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
  told: false,
}

test('a hold that time ended is told by whom, why, since when, and what was found', () => {
  const [change] = judged({ hosts: [{ ...calm, endedHolds: [ended] }] })

  expect(change).toMatchObject({
    kind: 'open',
    cause: {
      key: 'hold-expired:web-1:nginx:2026-11-23T03:00:00.000Z',
      kind: 'hold-expired',
      severity: 'warning',
      service: 'nginx',
      title: 'web-1: the hold of nginx has ended',
      text: 'Held by ann@web-1 from 2026-11-23 01:00 UTC until 2026-11-23 03:00 UTC: the disk is being replaced\nThe normal policy applies again. At its end: 2 findings, 1 change pending.',
    },
  })
})

test('a hold that somebody on the host released is not told', () => {
  expect(judged({ hosts: [{ ...calm, endedHolds: [{ ...ended, releasedBy: 'ben@web-1' }] }] })).toEqual([])
})

test('the end of a hold is told once, and open for as long as the service is out of plumb', () => {
  const told = { ...ended, told: true }
  const findings = [findingOf('/etc/nginx/nginx.conf', 'x')]
  const out = { ...calm, services: [serviceOf('nginx', { findings })] }
  const openAlerts = opened({ hosts: [{ ...out, endedHolds: [ended] }] })
  const kindsOf = (facts: Partial<Facts>) => judged(facts).map(({ kind }) => kind)

  expect(openAlerts.map(({ kind }) => kind)).toEqual(['drift', 'hold-expired'])
  expect(kindsOf({ hosts: [{ ...out, endedHolds: [told] }], openAlerts })).toEqual([])
  expect(kindsOf({ hosts: [{ ...calm, endedHolds: [told] }], openAlerts })).toEqual(['resolve', 'resolve'])
  const again = { ...out, services: [serviceOf('nginx', { findings, hold: { by: 'b', why: 'w', until: 'u' } })] }
  expect(kindsOf({ hosts: [{ ...again, endedHolds: [told] }], openAlerts })).toEqual(['resolve', 'resolve'])
  // A drift of another day is no business of that hold.
  expect(judged({ hosts: [{ ...out, endedHolds: [told] }] }).map((change) => causeOf(change).kind)).toEqual(['drift'])
})

test('a hold of all services is one alert, open until the last service is in plumb', () => {
  const all = { ...ended, service: '*' as const }
  const services = [serviceOf('base'), serviceOf('nginx', { findings: [findingOf('/etc/a', 'x')] })]
  const openAlerts = opened({ hosts: [{ ...calm, services, endedHolds: [all] }] })

  expect(openAlerts.map(({ title }) => title)).toContain('web-1: the hold of all services has ended')
  expect(judged({ hosts: [{ ...calm, services, endedHolds: [{ ...all, told: true }] }], openAlerts })).toEqual([])
})

test('a failed apply says the step and the problem, and another attempt says nothing new', () => {
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
    text: 'Revision aaaaaaa failed at "validate /etc/nginx/nginx.conf": /etc/nginx/nginx.conf:12: unknown directive "tsl"\nIt runs on with revision aaaaaaa.',
  })
  expect(judged({ hosts: [failing(2)], openAlerts: opened({ hosts: [failing(1)] }) })).toEqual([])
})

test('silence is judged by the limit', () => {
  expect(judged({ hosts: [{ ...calm, silentForMs: 89_999 }] })).toEqual([])
  expect(judged({ hosts: [{ ...calm, silentForMs: 90_000 }] })).toMatchObject([
    {
      kind: 'open',
      cause: { kind: 'host-silent', text: 'Nothing was heard of web-1 since 2026-11-23T03:00:00.000Z.' },
    },
  ])
})

test('a server that has just started ends no silence by itself', () => {
  const openAlerts = opened({ hosts: [{ ...calm, silentForMs: 100_000 }] })

  expect(judged({ hosts: [{ ...calm, heardSinceStart: false }], openAlerts })).toEqual([])
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

test('an invalid repository is said once, not once for each host', () => {
  const invalid: Problem[] = [
    { code: 'repository-invalid', message: 'unknown key "tempalte"', where: { file: 'plumb.yaml', line: 3 } },
  ]
  const hosts = [{ ...calm, problems: invalid }]
  const surroundings = { silentAfterMs: 90_000, repositoryInvalid: true }

  expect(judged({ hosts, fleet: { ...quiet, invalid }, surroundings }).map((change) => causeOf(change).key)).toEqual([
    'repository-invalid',
  ])
})

test('fleet conditions are left as they are when only hosts are judged', () => {
  const openAlerts = opened({ hosts: [], fleet: { ...quiet, unreachable } })

  expect(openAlerts).toHaveLength(1)
  expect(judged({ hosts: [calm], openAlerts: [] })).toEqual([])
})

test('every condition has its own words and a way out', () => {
  const everything: FleetFacts = {
    invalid: [{ code: 'repository-invalid', message: 'm' }],
    unreachable,
    channelProblems: [{ key: 'k', message: 'no such secret', remedy: 'Write it.' }],
    refusedEnrolments: [{ cause: 'token:1', host: web1, reason: 'the token is used up', address: '10.77.0.9' }],
    databasesSetAside: ['/var/lib/plumb-server/plumb.sqlite.corrupt-x'],
  }

  const host = { ...drifting, silentForMs: 1e9, problems: [unreachable], endedHolds: [ended] }
  const causes = judged({ hosts: [host], fleet: everything }).map(causeOf)

  expect(causes.map(({ kind }) => kind)).toEqual([
    ...['drift', 'hold-expired', 'host-silent', 'agent-problem'],
    ...['repository-invalid', 'repository-unreachable', 'enrolment-refused', 'channel-unusable', 'database-set-aside'],
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
    surroundings: { silentAfterMs: 90_000, repositoryInvalid: false },
    ...facts,
  })
}

/** The alerts as they are stored after these facts were judged. */
function opened(facts: Partial<Facts>): readonly Alert[] {
  const at = '2026-11-23T03:00:00.000Z'
  return judged(facts).map((change, id) => ({ ...causeOf(change), id, openedAt: at, updatedAt: at }))
}

function causeOf(change: AlertChange | undefined) {
  if (change === undefined || change.kind === 'resolve') throw new Error('expected an alert to be opened or updated')
  return change.cause
}
