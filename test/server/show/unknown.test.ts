// What an agent could not check: stored, shown and counted as unknown, and no reason to end an alert.
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Problem } from '../../../shared/problem.ts'
import { type ServiceReport, stateOf } from '../../../shared/report.ts'
import { drifted, enrollAgent, findingOf, reportOf, serviceOf, startTestServer, type TestServer } from '../kit.ts'

let server: TestServer

beforeEach(async () => {
  server = await startTestServer()
})

afterEach(() => server.remove())

const missing: Problem = {
  code: 'secret-missing',
  message: 'the secret "db" is not set on this host.',
  service: 'nginx',
}
const finding = findingOf('/etc/nginx/nginx.conf', 'worker_processes 9;')
const seenAt = '2026-11-23T02:30:00.000Z'

test('an unknown service is unknown in the API, the grid, the counts, the history, and on its pages with the reason', async () => {
  const line = await (await enrollAgent(server, 'web-1')).connect()
  await line.report(reportOf('web-1'))
  const service = serviceOf('nginx', { unknown: { problems: [missing] } })
  await line.report(reportOf('web-1', { services: [service], problems: [missing] }))

  const unknown = { state: 'unknown', cells: [{ service: 'nginx', state: 'unknown' }] }
  expect(await json('/api/v1/fleet')).toMatchObject({ hosts: [{ host: 'web-1', ...unknown }, { host: 'web-2' }] })
  expect(await json('/api/v1/hosts/web-1')).toMatchObject({
    services: [{ state: 'unknown', unknown: { problems: [missing] } }],
    transitions: [{ from: 'in-sync', to: 'unknown' }, { to: 'in-sync' }, { to: 'enrolled' }],
    alerts: [{ kind: 'agent-problem', title: 'web-1: a secret is missing' }],
  })
  expect(await page('/')).toContain('0 of 2 hosts in sync')
  expect(await page('/hosts/web-1')).toContain('the secret &quot;db&quot; is not set on this host.')
  expect(await page('/services/nginx')).toContain('is-unknown')
})

test('drift that cannot be checked again keeps its alert and its history, whether its service or the whole host is unknown', async () => {
  const line = await (await enrollAgent(server, 'web-1')).connect()
  await line.report(drifted('web-1'))
  const inPart = serviceOf('nginx', { findings: [{ ...finding, seenAt }], unknown: { problems: [missing] } })
  const asAWhole = serviceOf('nginx', { findings: [finding], unknown: { problems: [], seenAt } })
  const [opened] = await server.openAlerts()

  for (const service of [inPart, asAWhole]) {
    await line.report(reportOf('web-1', { services: [service], problems: [missing] }))
    const alert = (await server.openAlerts()).find(({ kind }) => kind === 'drift')
    expect(alert).toMatchObject({
      id: opened?.id,
      text: expect.stringMatching(/^\/etc\/nginx\/nginx.conf: content differs\n/),
    })
    // What cannot be checked cannot be adopted either.
    expect(alert?.text).not.toContain('plumb adopt')
    expect(await json('/api/v1/hosts/web-1')).toMatchObject({ state: 'unknown' })
    const why = await json('/api/v1/why?path=/etc/nginx/nginx.conf&host=web-1&history=1')
    expect(JSON.stringify(why)).not.toContain('put-right')
  }
  await line.report(reportOf('web-1'))
  expect(await server.openAlerts()).toEqual([])
})

const services: readonly (readonly [string, Partial<ServiceReport>])[] = [
  ['unknown', { unknown: { problems: [missing] } }],
  ['unknown', { unknown: { problems: [], seenAt } }],
  ['unknown', { unknown: { problems: [], seenAt }, findings: [finding] }],
  ['unknown', { unknown: { problems: [missing] }, findings: [{ ...finding, seenAt }] }],
  ['unknown', { unknown: { problems: [missing] }, pending: [{ resource: finding.resource, summary: 'x' }] }],
  ['drift', { unknown: { problems: [missing] }, findings: [finding] }],
  ['unknown', { unknown: { problems: [missing] }, hold: { by: 'ann', why: 'x', until: seenAt } }],
]

test.each(services)('a service is %s by %j', (state, change) => {
  expect(stateOf(serviceOf('nginx', change))).toBe(state)
})

async function json(path: string): Promise<unknown> {
  return (await server.get(path)).json()
}

async function page(path: string): Promise<string> {
  return (await server.get(path)).text()
}
