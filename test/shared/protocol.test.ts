// What an agent of an earlier release makes of this release's messages, and what a message of the server can carry at most.
import { expect, test } from 'vitest'
import { z } from 'zod'
import { kindsOf } from '../../shared/finding-kind.ts'
import { serverMessageSchema } from '../../shared/protocol.ts'
import { reportSchema } from '../../shared/report.ts'
import { reportOf, serviceOf } from '../server/kit.ts'

/** As of release 0.1.0; never changed. */
const serverMessagesOfFirstRelease = z.discriminatedUnion('type', [
  z.object({ type: z.literal('challenge'), nonce: z.string().min(43).max(64), protocol: z.number().int() }),
  z.object({ type: z.literal('welcome'), serverVersion: z.string().max(50) }),
  z.object({ type: z.literal('ack'), report: z.string().max(64) }),
  z.object({ type: z.literal('sync') }),
  z.object({ type: z.literal('check') }),
  z.object({ type: z.literal('refused'), reason: z.string().max(500) }),
])

const hold = {
  id: '5b1f9a4e-0d53-4a1f-9d0b-6a5e0c8d7f10',
  service: 'caddy',
  by: 'ines@desk',
  why: 'the authority is down',
  since: '2026-11-23T12:00:00.000Z',
  until: '2026-11-23T14:00:00.000Z',
}

test('to an agent of the first release, holds are a message that it does not know', () => {
  expect(serverMessagesOfFirstRelease.safeParse({ type: 'holds', holds: [hold] }).success).toBe(false)
})

test('a hold carries a name, a person, a reason and two times: nothing else arrives', () => {
  const more = { ...hold, command: 'id', path: '/etc/shadow', content: 'x' }

  expect(serverMessageSchema.parse({ type: 'holds', holds: [more] })).toEqual({ type: 'holds', holds: [hold] })
})

test.each([
  ['a service that is a path', { service: '../../etc' }],
  ['a reason with an escape sequence', { why: 'x\u001b]0;owned\u0007' }],
  ['a reason on two lines', { why: 'one\ntwo' }],
  ['a reason that turns the text around', { why: 'x\u202ey' }],
  ['a reason without an end', { why: 'x'.repeat(501) }],
  ['no reason', { why: ' ' }],
  ['a person without an end', { by: 'x'.repeat(201) }],
  ['an end that is no time', { until: 'never' }],
  ['an id that is none', { id: '../x' }],
])('a hold with %s is refused', (_what, change) => {
  expect(serverMessageSchema.safeParse({ type: 'holds', holds: [{ ...hold, ...change }] }).success).toBe(false)
})

test('more holds than a server keeps are refused', () => {
  const holds = Array.from({ length: 201 }, () => hold)

  expect(serverMessageSchema.safeParse({ type: 'holds', holds }).success).toBe(false)
})

test('a report of the first release, with a hold that only says by whom, why and until when, is taken', () => {
  const { by, why, until } = hold
  const report = reportOf('web-1', { services: [serviceOf('caddy', { hold: { by, why, until } })] })

  expect(reportSchema.parse(JSON.parse(JSON.stringify(report)))).toEqual(report)
})

test.each(['a-code-of-tomorrow', 7, undefined])(
  'a report with the unknown problem code %s keeps its message',
  (code) => {
    const problem = { code, message: 'The moon is down.', remedy: 'Wait.' }
    const report = { ...reportOf('web-1', { services: [] }), problems: [problem] }
    expect(reportSchema.parse(JSON.parse(JSON.stringify(report))).problems).toEqual([{ ...problem, code: 'internal' }])
  },
)

test('findings of an older agent, without codes, and of a newer one, with codes and a kind of its own, are read', () => {
  const difference = { name: 'content', expected: 'a', live: 'b' }
  const about = { summary: '', diffCut: false, evidence: {} }
  const older = { ...about, resource: 'file:/etc/motd', differences: [difference] }
  const newer = { ...about, resource: 'dns-record:www', differences: [{ ...difference, codes: ['of-tomorrow'] }] }
  const report = { ...reportOf('web-1'), services: [{ ...serviceOf('nginx'), findings: [older, newer] }] }

  const [service] = reportSchema.parse(JSON.parse(JSON.stringify(report))).services

  expect(service?.findings).toEqual([older, newer])
  expect(kindsOf(service?.findings.flatMap(({ differences }) => differences) ?? [])).toEqual(['other', 'of-tomorrow'])
})

test.each(['motd', ':/etc/motd', 'file:', 'File:/etc/motd', `${'x'.repeat(40)}:y`])(
  'a finding of "%s", which is no resource, is refused',
  (resource) => {
    const finding = { resource, summary: '', differences: [], diffCut: false, evidence: {} }
    const report = { ...reportOf('web-1'), services: [{ ...serviceOf('nginx'), findings: [finding] }] }

    expect(reportSchema.safeParse(report).success).toBe(false)
  },
)
