// What is true of a service at once, in every combination.
import { expect, test } from 'vitest'
import { factsOf, type ServiceReport, serviceReportSchema, stateOf } from '../../shared/report.ts'

const at = '2026-11-24T13:00:00.000Z'
const revision = 'a'.repeat(40)
const problem = { code: 'check-failed', message: 'it answers with 502' }
const finding = {
  resource: 'file:/etc/a',
  summary: '/etc/a: content differs',
  differences: [],
  diffCut: false,
  evidence: {},
}

const parts = {
  failed: { failure: { revision, at, step: 'check', problem, attempts: 1 } },
  drift: { findings: [finding] },
  unknown: { unknown: { problems: [problem] } },
  pending: { pending: [{ resource: 'file:/etc/a', summary: '/etc/a: content differs' }] },
  held: { hold: { by: 'anna@web-1', why: 'a fix', until: at } },
} as const

const names = ['failed', 'drift', 'unknown', 'pending', 'held'] as const

const combinations = Array.from({ length: 2 ** names.length }, (_, bits) =>
  names.filter((_name, index) => (bits >> index) % 2 === 1),
)

function report(of: readonly (typeof names)[number][]): ServiceReport {
  const said = Object.assign(
    { service: 'web', applied: revision, findings: [], pending: [] },
    ...of.map((name) => parts[name]),
  )
  return serviceReportSchema.parse(said)
}

test.each(combinations.map((of) => [of.join(' and ') || 'nothing', of] as const))('%s', (_, of) => {
  expect(factsOf(report(of))).toEqual(of)
  expect(stateOf(report(of))).toBe(of.find((name) => name !== 'held') ?? 'in-sync')
})

test('what an earlier check found is not passed off as present', () => {
  const stale = { ...report(['failed', 'drift', 'pending', 'held']), unknown: { problems: [], seenAt: at } }
  expect(factsOf(stale)).toEqual(['failed', 'unknown', 'held'])
  const { applied: _, ...never } = report([])
  expect(factsOf(never)).toEqual(['pending'])
})
