// What `plumb status` says of a check that is past: how old it is, and what it could not establish.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { Output } from '../../../agent/commands/output.ts'
import { status } from '../../../agent/commands/status.ts'
import { writeStatus } from '../../../agent/state/status.ts'
import { revisionSchema } from '../../../shared/names.ts'
import type { Problem } from '../../../shared/problem.ts'
import type { Report, ServiceReport } from '../../../shared/report.ts'
import { absoluteTime } from '../../../shared/time-text.js'
import { findingOf, reportOf, serviceOf } from '../../server/kit.ts'

const ago = (seconds: number) => new Date(Date.now() - seconds * 1000).toISOString()
const hoursAgo = ago(3 * 3600)
const minutesAgo = ago(300)
const missing: Problem = { code: 'secret-missing', message: 'the secret "db" is not set on this host.' }
const unreadable: Problem = { code: 'observe-failed', message: '/etc/x cannot be read (EIO).' }
const finding = findingOf('/etc/nginx/nginx.conf', 'x')

const states: readonly (readonly [string, Partial<ServiceReport>, string, number])[] = [
  ['in sync', {}, '  nginx  in sync', 0],
  [
    'unknown in part',
    { unknown: { problems: [missing] } },
    '  nginx  unknown: the secret "db" is not set on this host',
    1,
  ],
  [
    'unknown as a whole',
    { unknown: { problems: [missing], seenAt: hoursAgo } },
    `  nginx  unknown, at ${absoluteTime(hoursAgo)} it was in sync (the secret "db" is not set on this host)`,
    1,
  ],
  [
    'unknown, and drifted before',
    { unknown: { problems: [], seenAt: minutesAgo }, findings: [finding] },
    `  nginx  unknown, at ${absoluteTime(minutesAgo)} it was drift: /etc/nginx/nginx.conf: content differs`,
    1,
  ],
  [
    'unknown, with drift that was not checked again',
    { unknown: { problems: [missing] }, findings: [{ ...finding, seenAt: minutesAgo }] },
    `  nginx  unknown: /etc/nginx/nginx.conf: content differs (not checked since; found ${absoluteTime(minutesAgo)}); the secret "db" is not set on this host`,
    1,
  ],
  [
    'unknown for two reasons, with something pending as check found it',
    { unknown: { problems: [missing, unreadable] }, pending: [{ ...finding, summary: '/etc/motd: missing' }] },
    '  nginx  unknown: 1 pending; the secret "db" is not set on this host; /etc/x cannot be read (EIO)',
    2,
  ],
  [
    'unknown as a whole, with something pending before',
    { unknown: { problems: [missing], seenAt: minutesAgo }, pending: [{ ...finding, summary: '/etc/motd: missing' }] },
    `  nginx  unknown, at ${absoluteTime(minutesAgo)} it was pending: 1 pending (the secret "db" is not set on this host)`,
    1,
  ],
  [
    'drifted, and unknown in part',
    { unknown: { problems: [missing] }, findings: [finding] },
    '  nginx  drift: /etc/nginx/nginx.conf: content differs; unknown: the secret "db" is not set on this host',
    2,
  ],
  [
    'failed with lines of another program, and drifted',
    {
      applied: revisionSchema.parse('a'.repeat(40)),
      failure: {
        revision: revisionSchema.parse('b'.repeat(40)),
        ...{ at: hoursAgo, step: 'check unit nginx.service', attempts: 1 },
        problem: {
          code: 'check-failed',
          message: 'it is inactive. Its journal ends:\nStopped nginx.service - A server',
        },
      },
      findings: [finding],
    },
    '  nginx  failed, runs on with aaaaaaaaaaaa: /etc/nginx/nginx.conf: content differs; bbbbbbbbbbbb at check unit nginx.service: it is inactive. Its journal ends:\nStopped nginx.service - A server',
    2,
  ],
]

test.each(states)('a service that is %s', (_, service, line, code) => {
  const { lines, exit } = statusOf(reportOf('web-1', { at: ago(240), services: [serviceOf('nginx', service)] }))

  expect(lines[0]).toMatch(/^web-1 at 734acb89e717, checked 4 min ago \(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\)$/)
  expect(lines[1]).toBe(line)
  expect(exit).toBe(code)
})

function statusOf(report: Report): { readonly lines: readonly string[]; readonly exit: number } {
  const directory = mkdtempSync(join(tmpdir(), 'plumb-status-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  mkdirSync(directory, { recursive: true })
  writeStatus(directory, report)
  let lines: readonly string[] = []
  const exit = status(directory, { print: ({ text }) => (lines = text), progress: () => {} })
  return { lines, exit }
}

test('a check whose result could not be kept leaves no older one in its place', () => {
  const directory = mkdtempSync(join(tmpdir(), 'plumb-status-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  let lines: readonly string[] = []
  const output: Output = { print: ({ text }) => (lines = text), progress: () => {} }
  writeStatus(directory, reportOf('web-1', { at: ago(5), services: [serviceOf('nginx', {})] }))
  expect(status(directory, output)).toBe(0)
  // As on a full disk: the new one cannot be written beside it.
  mkdirSync(join(directory, `status.json.${process.pid}.new`))
  expect(() =>
    writeStatus(directory, reportOf('web-1', { services: [serviceOf('nginx', { findings: [finding] })] })),
  ).toThrow()
  expect(status(directory, output)).toBe(1)
  expect(lines.join('\n')).toContain('nothing known')
})

test('what keeps a service unknown is told once, and what else is wrong too', () => {
  const other: Problem = { code: 'repository-unreachable', message: 'the remote does not answer.' }
  for (const seenAt of [undefined, ago(60)]) {
    const unknown = { problems: [missing], ...(seenAt === undefined ? {} : { seenAt }) }
    const services = [serviceOf('nginx', { unknown })]
    const { lines } = statusOf(reportOf('web-1', { services, problems: [missing, other] }))
    expect(lines.filter((line) => line.includes('the secret "db"'))).toHaveLength(1)
    expect(lines.filter((line) => line.includes('the remote does not answer'))).toHaveLength(1)
  }
})

test('an agent that does not run is said, also where the last check found nothing', () => {
  const down: Problem = { code: 'agent-not-running', message: 'the agent is not running.' }
  const directory = mkdtempSync(join(tmpdir(), 'plumb-status-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const lines: string[] = []
  const output: Output = { print: ({ text }) => lines.push(...text), progress: () => undefined }
  expect(status(directory, output, [down])).toBe(1)
  writeStatus(directory, reportOf('web-1', { services: [serviceOf('nginx')] }))
  expect(status(directory, output)).toBe(0)
  expect(status(directory, output, [down])).toBe(1)
  expect(lines.filter((line) => line === down.message)).toHaveLength(2)
})
