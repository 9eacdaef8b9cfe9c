import { rename } from 'node:fs/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import type { ServiceReport } from '../../../shared/report.ts'
import {
  drifted,
  enrollAgent,
  findingOf,
  reportOf,
  serviceOf,
  smallFleet,
  someRevision,
  startTestServer,
  type TestServer,
} from '../kit.ts'

let server: TestServer

beforeEach(async () => {
  server = await startTestServer()
})

afterEach(() => server.remove())

test('hosts that the repository names are shown before they are enrolled', async () => {
  await enrollAgent(server, 'web-2')

  expect(await json('/api/v1/fleet')).toMatchObject({
    services: ['nginx'],
    hosts: [
      { host: 'web-1', state: 'not-enrolled', connected: false, cells: [{ service: 'nginx', state: 'no-report' }] },
      { host: 'web-2', state: 'no-report', cells: [{ service: 'nginx', state: 'no-report' }] },
    ],
  })
})

test('a host shows what it reported, and what the repository gives it that it has not applied yet', async () => {
  const line = await (await enrollAgent(server, 'web-1')).connect()
  await line.report(drifted('web-1'))
  await commitSecondService()

  expect(await json('/api/v1/fleet')).toMatchObject({
    hosts: [
      {
        host: 'web-1',
        state: 'drift',
        connected: true,
        cells: [
          { service: 'nginx', state: 'drift', findings: 1 },
          { service: 'base', state: 'pending', findings: 0 },
        ],
      },
      { host: 'web-2' },
    ],
  })
})

test('the grid has columns for the services of the repository, whatever hosts make up', async () => {
  const line = await (await enrollAgent(server, 'web-1')).connect()
  await line.report(reportOf('web-1', { services: [serviceOf('nginx'), serviceOf('made-up'), serviceOf('old')] }))

  expect(await json('/api/v1/fleet')).toMatchObject({ services: ['nginx'] })
  const page = await (await server.get('/')).text()
  expect(page).not.toContain('/services/made-up')
  // An alert names it once the host is at the head, and its page in any case.
  expect(await (await server.get('/hosts/web-1')).text()).toContain('made-up')
})

test.each([
  ['failed', ['in-sync', 'drift', 'failed', 'held', 'pending']],
  ['drift', ['in-sync', 'drift', 'held', 'pending']],
  ['pending', ['in-sync', 'pending']],
  ['in-sync', ['in-sync']],
])('a host is %s when its services are %s', async (state, services) => {
  const line = await (await enrollAgent(server, 'web-1')).connect()
  await line.report(
    reportOf('web-1', { services: [serviceOf('nginx'), ...services.map((service) => serviceIn(service))] }),
  )

  expect(await json('/api/v1/hosts/web-1')).toMatchObject({ state })
})

test('an offline host is shown as offline, with when it was last seen', async () => {
  const line = await (await enrollAgent(server, 'web-1')).connect()
  await line.report(reportOf('web-1'))
  await line.close()
  server.clock.advance(1000)
  await server.tick()

  expect(await json('/api/v1/hosts/web-1')).toMatchObject({
    state: 'offline',
    connected: false,
    lastSeenAt: '2026-11-23T03:00:00.000Z',
    transitions: [{ to: 'offline' }, { service: 'nginx', to: 'in-sync' }, { to: 'enrolled' }],
    alerts: [{ kind: 'host-offline' }],
  })
})

test('why a file is as it is: the commit, its author and message', async () => {
  await server.fleet.commit(
    { 'services/nginx/files/etc/nginx/nginx.conf': 'worker_processes 4;\n' },
    { message: 'Four workers\n\nThe box has four cores.', author: 'Grace' },
  )
  await server.post('/api/v1/sync')

  expect(await json('/api/v1/why?path=/etc/nginx/nginx.conf&host=web-1')).toEqual([
    {
      path: '/etc/nginx/nginx.conf',
      source: 'services/nginx/files/etc/nginx/nginx.conf',
      why: {
        revision: await server.fleet.head(),
        author: 'Grace',
        at: '2026-11-01T12:00:00+00:00',
        subject: 'Four workers',
        message: 'Four workers\n\nThe box has four cores.',
      },
    },
  ])
  expect(await json('/api/v1/why?path=services/nginx')).toMatchObject([
    { source: 'services/nginx/README.md', why: { author: 'Ada' } },
    { source: 'services/nginx/files/etc/nginx/nginx.conf', why: { author: 'Grace' } },
  ])
  expect((await server.get('/api/v1/why?path=/etc/nginx/nginx.conf&host=db-1')).status).toBe(404)
})

test('a drift shows why the repository says otherwise, at the revision the host is at', async () => {
  const line = await (await enrollAgent(server, 'web-1')).connect()
  const revision = await server.fleet.head()
  const services = drifted('web-1').services.map((service) => ({ ...service, applied: revision }))
  await line.report(reportOf('web-1', { revision, services }))
  await server.fleet.commit(
    { 'services/nginx/files/etc/nginx/nginx.conf': 'worker_processes 4;\n' },
    { author: 'Grace' },
  )
  await server.post('/api/v1/sync')

  const page = await (await server.get('/hosts/web-1/drift?resource=file:/etc/nginx/nginx.conf')).text()

  expect(page).toContain('worker_processes <mark>9</mark>;')
  expect(page).toContain('Ada')
  expect(page).not.toContain('Grace')
})

test('a service shows its README without what could run, its paths with their commits, and its hosts', async () => {
  await server.fleet.commit({
    'services/nginx/README.md': [
      '# nginx\n\nServes **the site**.',
      '<script>alert(1)</script><img src=x onerror=alert(1)>',
      '[a](javascript:alert(1)) [b](https://example.org) <a href="data:text/html,x">c</a>',
      '<iframe src="https://evil.example"></iframe><form action="/logout"></form><style>*{display:none}</style>',
    ].join('\n\n'),
  })
  await server.post('/api/v1/sync')

  const service = z.looseObject({ readmeHtml: z.string() }).parse(await json('/api/v1/services/nginx'))

  expect(service.readmeHtml).toContain('<strong>the site</strong>')
  expect(service.readmeHtml).toContain('href="https://example.org"')
  expect(service.readmeHtml).not.toMatch(/script|onerror|javascript:|data:|iframe|<form|<style|<img/)
  expect(service).toMatchObject({
    hosts: [
      { host: 'web-1', state: 'no-report' },
      { host: 'web-2', state: 'no-report' },
    ],
    paths: [
      { path: '/etc/nginx/nginx.conf', source: 'services/nginx/files/etc/nginx/nginx.conf', why: { author: 'Ada' } },
    ],
    history: [{ subject: 'a change' }, { subject: 'the beginning' }],
  })
})

test('an invalid commit is an alert and a problem, and the fleet stays as it was known', async () => {
  await server.fleet.commit({ 'plumb.yaml': 'version: 1\nhots: {}\n' })
  await server.post('/api/v1/sync')

  expect(await json('/api/v1/fleet')).toMatchObject({
    repository: { problems: [{ code: 'repository-invalid', where: { file: 'plumb.yaml', line: 2 } }] },
    hosts: [{ host: 'web-1' }, { host: 'web-2' }],
  })
  expect((await server.openAlerts()).map(({ kind }) => kind)).toEqual(['repository-invalid'])

  await server.fleet.commit({ 'plumb.yaml': smallFleet['plumb.yaml'] ?? null })
  await server.post('/api/v1/sync')
  expect(await server.openAlerts()).toEqual([])
})

test('a remote that is away for a moment is a problem on the page, and an alert only when it lasts', async () => {
  await rename(server.fleet.directory, `${server.fleet.directory}-away`)
  await server.post('/api/v1/sync')

  expect(await json('/api/v1/fleet')).toMatchObject({
    repository: { problems: [{ code: 'repository-unreachable' }] },
    hosts: [{ host: 'web-1' }, { host: 'web-2' }],
  })
  expect(await server.openAlerts()).toEqual([])
  server.clock.advance(301)
  expect((await server.openAlerts()).map(({ kind }) => kind)).toEqual(['repository-unreachable'])

  await rename(`${server.fleet.directory}-away`, server.fleet.directory)
  await server.post('/api/v1/sync')
  expect(await server.openAlerts()).toEqual([])
})

test('every page of the dashboard is made from what is recorded', async () => {
  const line = await (await enrollAgent(server, 'web-1')).connect()
  await line.report(drifted('web-1'))
  await server.tick()

  for (const [path, text] of [
    ['/', 'web-1'],
    ['/hosts/web-1', '/etc/nginx/nginx.conf'],
    ['/services/nginx', 'Serves the site.'],
    ['/alerts', 'web-1: nginx has drifted'],
  ] as const) {
    const response = await server.get(path)
    expect(response.status).toBe(200)
    expect(await response.text()).toContain(text)
  }
})

async function json(path: string): Promise<unknown> {
  return (await server.get(path)).json()
}

async function commitSecondService(): Promise<void> {
  await server.fleet.commit({
    'plumb.yaml': 'version: 1\nhosts:\n  web-1: { services: [nginx, base] }\n  web-2: { services: [nginx] }\n',
    'services/base/README.md': '# base\n',
  })
  await server.post('/api/v1/sync')
}

function serviceIn(state: string): ServiceReport {
  const finding = findingOf('/etc/nginx/nginx.conf', 'x')
  const hold = { by: 'ann', why: 'the disk is being replaced', until: '2026-11-24T00:00:00Z' }
  const problem = { code: 'internal' as const, message: 'no reason' }
  const services: Record<string, Partial<ServiceReport>> = {
    drift: { findings: [finding] },
    held: { findings: [finding], hold },
    failed: { failure: { revision: someRevision, at: '2026-11-23T03:00:00Z', step: 'a step', problem, attempts: 1 } },
    pending: { pending: [{ resource: finding.resource, summary: 'to be written' }] },
  }
  return serviceOf(state, services[state])
}

test('each page counts the open alerts as the rows that they are', async () => {
  for (const host of ['web-1', 'web-2']) {
    const line = await (await enrollAgent(server, host)).connect()
    await line.report(drifted(host))
  }
  await server.openAlerts()

  const alerts = z.array(z.object({ resolvedAt: z.string().optional() })).parse(await json('/api/v1/alerts'))
  const open = alerts.filter(({ resolvedAt }) => resolvedAt === undefined).length
  expect(open).toBeGreaterThan(0)
  expect(await (await server.get('/services/nginx')).text()).toContain(`<title>(${open}) nginx`)
})
