// What a host does not say is no all-clear: neither for pages and API nor for an alert that is open.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type Report, reportSchema } from '../../../shared/report.ts'
import {
  type AgentLine,
  enrollAgent,
  findingOf,
  reportOf,
  serviceOf,
  startTestServer,
  type TestServer,
} from '../kit.ts'

let server: TestServer
let line: AgentLine
let head: Report['revision']

const files = {
  'plumb.yaml': 'version: 1\nhosts:\n  web-1: { services: [base, hello] }\n',
  'services/base/README.md': '# base\n',
  'services/base/files/etc/motd': 'a\n',
  'services/hello/README.md': '# hello\n',
  'services/hello/files/etc/hello': 'a\n',
}

beforeEach(async () => {
  server = await startTestServer({}, { files })
  head = await server.fleet.head()
  line = await (await enrollAgent(server, 'web-1')).connect()
})
afterEach(() => server.remove())

const [base, hello] = [serviceOf('base'), serviceOf('hello')]
const problem = { code: 'check-failed', message: 'no' } as const
const failure = { revision: 'b'.repeat(40), at: '2026-11-23T03:00:00Z', step: 'a step', problem, attempts: 1 }
const fought = { ...findingOf('/etc/motd', 'x'), fight: { repairs: 3, since: '2026-11-23T03:00:00Z' } }
const notInRepository = { revision: 'c'.repeat(40) }

describe.each([
  ['drift', { findings: [findingOf('/etc/motd', 'x')] }],
  ['fight', { findings: [fought] }],
  ['apply-failed', { failure }],
])('an alert %s', (kind, change) => {
  test.each([
    ['no service at all', { services: [] }, ['unknown', 'unknown']],
    ['only the other service', { services: [hello] }, ['unknown', 'in-sync']],
    [
      'a revision that is not in the repository',
      { services: [base, hello], ...notInRepository },
      ['unknown', 'unknown'],
    ],
  ])('goes on, and the host is unknown, when it reports %s', async (_what, said, states) => {
    await line.report(reportWith({ services: [{ ...base, ...change }, hello] }))
    const opened = await server.openAlerts()
    expect(opened.map((alert) => alert.kind)).toEqual([kind])

    await line.report(reportWith(said))

    expect((await server.openAlerts()).map(({ id }) => id)).toEqual(opened.map(({ id }) => id))
    expect(await json('/api/v1/fleet')).toMatchObject({ hosts: [{ state: 'unknown' }] })
    const { services } = statesSchema.parse(await json('/api/v1/hosts/web-1'))
    expect(Object.fromEntries(services.map(({ service, state }) => [service, state]))).toEqual({
      base: states[0],
      hello: states[1],
    })
    expect(await json('/api/v1/services/base')).toMatchObject({ hosts: [{ state: 'unknown' }] })
    expect(await page('/')).toContain('0 of 1 host in sync')
    expect(await page('/hosts/web-1')).toMatch(/Not reported|not in the repository, as far as/)

    await line.report(reportWith({ services: [base, hello] }))
    expect(await server.openAlerts()).toEqual([])
    expect(await page('/')).toContain('1 of 1 host in sync')
  })
})

test('a host that has a commit before the server is known as soon as the server has fetched it, which it does at once', async () => {
  const revision = await server.fleet.commit({ 'services/base/files/etc/motd': 'b\n' })
  await line.report(reportWith({ services: [base, hello], revision }))

  await expect.poll(() => page('/'), { timeout: 60_000 }).toContain('1 of 1 host in sync')
})

test('a service that a host at an earlier revision does not report is pending, and the host is not in sync', async () => {
  await line.report(reportOf('web-1', { services: [hello] }))

  expect(await json('/api/v1/hosts/web-1')).toMatchObject({
    state: 'pending',
    services: [
      { service: 'hello', state: 'in-sync' },
      { service: 'base', state: 'pending' },
    ],
  })
})

test('the alert of a service that the repository no longer gives to the host ends without a word of it', async () => {
  await line.report(reportWith({ services: [{ ...base, findings: [findingOf('/etc/motd', 'x')] }, hello] }))
  expect(await server.openAlerts()).toHaveLength(1)
  await server.fleet.commit({ 'plumb.yaml': 'version: 1\nhosts:\n  web-1: { services: [hello] }\n' })
  await server.post('/api/v1/sync')

  await line.report(reportWith({ services: [hello], revision: await server.fleet.head() }))

  expect(await server.openAlerts()).toEqual([])
  expect(await page('/')).toContain('1 of 1 host in sync')
})

test('what a host says at a revision that the server fetches later counts from then on', async () => {
  await line.report(reportWith({ services: [{ ...base, findings: [findingOf('/etc/motd', 'x')] }, hello] }))
  const ahead = await server.fleet.commit({ 'services/base/files/etc/motd': 'b\n' })
  await line.report(reportWith({ services: [base, hello], revision: ahead }))
  expect(await server.openAlerts()).toHaveLength(1)

  await server.post('/api/v1/sync')

  expect(await server.openAlerts()).toEqual([])
  expect(await page('/')).toContain('1 of 1 host in sync')
})

test('a host that plumb.yaml no longer names is unknown everywhere, and its page says why', async () => {
  await line.report(reportWith({ services: [base, hello] }))
  await server.fleet.commit({ 'plumb.yaml': 'version: 1\nhosts:\n  web-2: { services: [hello] }\n' })
  await server.post('/api/v1/sync')

  expect(await json('/api/v1/fleet')).toMatchObject({ hosts: [{ state: 'unknown', unnamed: true }, {}] })
  expect(await page('/')).toContain('0 of 2 hosts in sync')
  expect(await page('/?state=in-sync')).toContain('No host is in sync.')
  expect(await page('/hosts/web-1')).toContain('plumb.yaml does not name it')
})

function reportWith(change: object): Report {
  return reportSchema.parse({ ...reportOf('web-1'), revision: head, ...change })
}

async function json(path: string): Promise<unknown> {
  return (await server.get(path)).json()
}

const statesSchema = z.object({ services: z.array(z.object({ service: z.string(), state: z.string() })) })

async function page(path: string): Promise<string> {
  return (await server.get(path)).text()
}
