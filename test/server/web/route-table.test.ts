// The table of routes against the running server: nothing answers that is not in it, and each route lets in whom its
// role names.
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import type { Role } from '../../../server/web/roles.ts'
import type { Route } from '../../../server/web/route.ts'
import { drifted, enrollAgent, makeToken, startTestServer, type TestAgent, type TestServer } from '../kit.ts'
import { ask, signedBy, signIn } from './asking.ts'

let server: TestServer

beforeEach(async () => {
  server = await startTestServer({ viewers: 'signed-in' })
  await mkdir(join(server.data, 'artifacts'))
  await writeFile(join(server.data, 'artifacts/plumb-linux-x64.gz'), 'an agent')
})

afterEach(() => server.remove())

type Headers = Readonly<Record<string, string>>
type Who = 'nobody' | 'sync token' | 'host' | 'operator token' | 'session'

/** Who is let in by which role, where readers have to sign in. */
const letIn: Readonly<Record<Role, readonly Who[]>> = {
  anyone: ['nobody', 'sync token', 'host', 'operator token', 'session'],
  reader: ['operator token', 'session'],
  'reader-or-host': ['host', 'operator token', 'session'],
  syncer: ['sync token', 'operator token', 'session'],
  operator: ['operator token', 'session'],
  host: ['host'],
}

test('what answers over HTTP is what the table says, and nothing else makes routes', async () => {
  const table = server.routes.map(({ method, path }) => `${method} ${path}`)

  expect(server.registered.toSorted()).toEqual([...new Set(table)].toSorted())
  expect(table.length).toBe(new Set(table).size)
  expect(table.length).toBeGreaterThan(40)
  const makers = []
  for (const name of await readdir('server', { recursive: true })) {
    if (/\.tsx?$/.test(name) && /new Hono\b/.test(await readFile(resolve('server', name), 'utf8'))) makers.push(name)
  }
  expect(makers).toEqual(['web/app.ts'])
})

test('each route lets in whom its role names, and nobody else', async () => {
  const who = await everybody()
  const wrong: string[] = []
  let refusals = 0
  // What ends a session comes last.
  const routes = server.routes.filter(({ path }) => path !== '/logout')
  for (const route of [...routes, ...server.routes.filter(({ path }) => path === '/logout')]) {
    for (const [name, headers] of who) {
      const isExpected = letIn[route.role].includes(name)
      const { status, location } = await askRoute(route, headers())
      const isRefused = status === 401 || status === 403 || location?.startsWith('/login?required') === true
      if (isRefused) refusals += 1
      if (isRefused === isExpected) wrong.push(`${route.method} ${route.path} by ${name}: ${status}`)
    }
  }
  expect(wrong).toEqual([])
  expect(refusals).toBeGreaterThan(60)
})

test('another site in a browser that is signed in changes nothing by any route', async () => {
  const cookie = await signIn(server)
  const changing = server.routes.filter(({ method }) => method !== 'GET' && method !== 'ALL')
  expect(changing.length).toBeGreaterThan(14)
  for (const route of changing) {
    for (const from of [{ origin: 'https://evil.example' }, { 'sec-fetch-site': 'cross-site' }]) {
      const { status } = await askRoute(route, { cookie, ...from })
      expect(`${route.method} ${route.path} ${status}`).toBe(`${route.method} ${route.path} 403`)
    }
  }
})

test('each route of the API that is read answers by its schema', async () => {
  const agent = await enrollAgent(server, 'web-1')
  const line = await agent.connect()
  await line.report(drifted('web-1'))
  await server.post('/api/v1/holds', { service: 'nginx', hosts: ['web-1'], for: '1h', why: 'a fix', by: 'ada' })
  await server.openAlerts()
  const asked = []
  for (const route of server.routes) {
    if (route.method !== 'GET' || route.answer.kind !== 'json') continue
    const response = await server.get(addressOf(route))
    expect(response.status, route.path).toBe(route.answer.status)
    const answer = await response.json()
    expect(route.answer.schema.parse(answer), route.path).toEqual(answer)
    asked.push(route.path)
  }
  expect(asked.length).toBeGreaterThan(7)
  await line.close()
})

test('each schema of the API can be written down', () => {
  for (const { body, answer, path } of server.routes) {
    if (body.kind === 'json') expect(() => z.toJSONSchema(body.schema, { io: 'input' }), path).not.toThrow()
    if (answer.kind === 'json') expect(() => z.toJSONSchema(answer.schema, { io: 'input' }), path).not.toThrow()
  }
})

async function everybody(): Promise<ReadonlyMap<Who, () => Headers>> {
  const host: TestAgent = await enrollAgent(server, 'web-1')
  const cookie = await signIn(server)
  const { origin } = new URL(server.url)
  return new Map<Who, () => Headers>([
    ['nobody', () => ({ origin })],
    ['sync token', () => ({ authorization: `Bearer ${server.syncToken}`, origin })],
    ['host', () => ({ authorization: signedBy(host, server), origin })],
    ['operator token', () => ({ authorization: `Bearer ${server.operatorToken}`, origin })],
    ['session', () => ({ cookie, origin })],
  ])
}

/**
 * What stands for the parameters of a route. What changes something names nothing that there is: who may is told 404,
 * or 400.
 */
function addressOf({ method, path }: Route): string {
  const names: Readonly<Record<string, string>> =
    method === 'GET' ? { host: 'web-1', service: 'nginx', file: 'linux-x64.gz', line: 'none' } : {}
  const address = path.replace(/:([a-z]+)/g, (_all, name: string) => names[name] ?? 'none').replace('*', 'nowhere')
  return `${address}${queries[path] ?? ''}`
}

const queries: Readonly<Record<string, string>> = {
  '/git/fleet.git/info/refs': '?service=git-upload-pack',
  '/api/v1/why': '?path=/etc/nginx/nginx.conf',
  '/why': '?path=/etc/nginx/nginx.conf',
}

async function askRoute(route: Route, headers: Headers) {
  const type = route.body.kind === 'form' ? { 'content-type': 'application/x-www-form-urlencoded' } : {}
  // The one whose own answer is 401: the wrong token is refused, not the request.
  const body = route.path === '/login' && route.method === 'POST' ? `token=${server.operatorToken}` : undefined
  const method = route.method === 'ALL' ? 'GET' : route.method
  return ask(server, { method, path: addressOf(route), headers: { ...type, ...headers }, ...(body ? { body } : {}) })
}

test('a token for enrollment proves nothing else', async () => {
  const authorization = `Bearer ${await makeToken(server)}`
  for (const route of server.routes.filter(({ role }) => role !== 'anyone' && role !== 'host')) {
    const { status, location } = await askRoute(route, { authorization, origin: new URL(server.url).origin })
    expect([401, 302, 303], `${route.method} ${route.path}`).toContain(status)
    if (status !== 401) expect(location).toContain('/login?required')
  }
})
