import { request } from 'node:http'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { httpProblemSchema } from '../../../../shared/protocol.ts'
import { drifted, enrollAgent, reportOf, startTestServer, type TestServer } from '../../kit.ts'

let server: TestServer

beforeEach(async () => {
  server = await startTestServer()
})

afterEach(() => server.remove())

test('a server that works says so to anybody', async () => {
  expect(await (await fetch(new URL('/healthz', server.url))).json()).toMatchObject({ ok: true })
})

test.each([
  ['/api/v1/nothing', 404],
  ['/api/v1/hosts/db-9', 404],
  ['/api/v1/hosts/%2e%2e', 404],
  ['/api/v1/services/nothing', 404],
  ['/api/v1/why', 400],
  ['/api/v1/why?path=/etc/passwd', 404],
  ['/artifacts/linux-x64.gz', 404],
  ['/artifacts/..%2foperator-token', 404],
])('GET %s is %d, in the shape that is promised', async (path, status) => {
  const response = await server.get(path)

  expect(response.status).toBe(status)
  expect(httpProblemSchema.safeParse(await response.json()).success).toBe(true)
})

test('a body above a mebibyte is refused, with and without a length', async () => {
  const big = 'x'.repeat(1024 * 1024 + 1)
  const chunked = new ReadableStream({
    pull(controller) {
      controller.enqueue(new TextEncoder().encode('x'.repeat(65_536)))
    },
  })

  const withLength = await fetch(new URL('/api/v1/agents/enrol', server.url), { method: 'POST', body: big })
  expect(withLength.status).toBe(413)
  const endless = { method: 'POST', body: chunked, duplex: 'half' } as const
  const refused = await fetch(new URL('/api/v1/agents/enrol', server.url), endless).then(
    ({ status }) => status,
    () => 'cut off',
  )
  expect([413, 'cut off']).toContain(refused)
})

test.each(['fleet', 'alerts', 'holds', 'hosts/web-1', 'services/nginx'])(
  'GET /api/v1/%s is compressed for who takes that, and what holds a token is not',
  async (path) => {
    const takes = { authorization: `Bearer ${server.operatorToken}`, 'accept-encoding': 'gzip' }

    const read = await fetch(new URL(`/api/v1/${path}`, server.url), { headers: takes })
    expect(read.headers.get('content-encoding')).toBe('gzip')
    expect(await read.json()).toBeTypeOf('object')
    const made = { method: 'POST', headers: takes, body: '{}' }
    const token = await fetch(new URL('/api/v1/enrolment-tokens', server.url), made)
    expect([token.status, token.headers.get('content-encoding')]).toEqual([201, null])
  },
)

test('a sync of one host asks that host alone', async () => {
  const [first, second] = [await enrollAgent(server, 'web-1'), await enrollAgent(server, 'web-2')]
  const [line, other] = [await first.connect(), await second.connect()]
  const heard: unknown[] = []
  other.socket.on('message', (text) => heard.push(JSON.parse(String(text)).type))

  const asked = await server.post('/api/v1/hosts/web-1/sync')
  expect(await asked.json()).toEqual({ host: 'web-1', connected: true, alreadyAsked: false })
  await line.next('sync')
  // What was sent before the acknowledgement has come before it.
  await other.report(reportOf('web-2'))
  expect(heard.filter((type) => type === 'sync')).toEqual([])
  await other.close()
  const away = await (await server.post('/api/v1/hosts/web-2/sync')).json()
  expect(away).toEqual({ host: 'web-2', connected: false, alreadyAsked: false })
  expect((await server.post('/api/v1/hosts/db-9/sync')).status).toBe(404)
})

test('an install line says when there is no agent to install', async () => {
  const made = z.object({ warning: z.string() }).parse(await (await server.post('/api/v1/enrolment-tokens')).json())

  expect(made.warning).toContain('run npm run build there first')
})

test('answers of the API are data to a browser, never kept', async () => {
  const { headers } = await server.get('/api/v1/fleet')

  expect(headers.get('content-security-policy')).toBe("default-src 'none'; frame-ancestors 'none'")
  expect(headers.get('x-content-type-options')).toBe('nosniff')
  expect(headers.get('cache-control')).toBe('no-store')
})

test('on loopback anyone may read, and nobody without a token may change', async () => {
  expect((await fetch(new URL('/api/v1/fleet', server.url))).status).toBe(200)
  for (const [method, path] of [
    ['POST', '/api/v1/sync'],
    ['POST', '/api/v1/enrolment-tokens'],
    ['DELETE', '/api/v1/hosts/web-1'],
  ] as const) {
    const headers = { authorization: 'Bearer operator_guessed' }
    expect((await fetch(new URL(path, server.url), { method })).status).toBe(401)
    expect((await fetch(new URL(path, server.url), { method, headers })).status).toBe(401)
  }
})

test('where viewers must sign in, reading needs the operator, and the sync token does not read', async () => {
  await server.restart({ viewers: 'signed-in' })
  const status = async (token?: string) => {
    const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` }
    return (await fetch(new URL('/api/v1/fleet', server.url), { headers })).status
  }

  expect([await status(), await status(server.syncToken), await status(server.operatorToken)]).toEqual([401, 401, 200])
  expect((await fetch(new URL('/api/v1/events', server.url))).status).toBe(401)
  const page = await fetch(server.url, { redirect: 'manual' })
  expect(page.headers.get('location')).toMatch(/^\/login/)
})

test('signing in makes a session that a browser keeps to this site', async () => {
  await server.restart({ viewers: 'signed-in' })
  const refused = await signIn('operator_guessed')
  expect(refused.status).toBe(401)
  expect(refused.headers.getSetCookie().some((cookie) => cookie.startsWith('plumb='))).toBe(false)

  const [cookie = ''] = (await signIn(server.operatorToken)).headers.getSetCookie()

  expect(cookie).toMatch(/^plumb=session_[\w-]{43}; .*HttpOnly; SameSite=Strict$/)
  const session = { cookie: cookie.split(';')[0] ?? '' }
  expect((await fetch(new URL('/api/v1/fleet', server.url), { headers: session })).status).toBe(200)
  server.clock.advance(7 * 24 * 3600 + 1)
  expect((await fetch(new URL('/api/v1/fleet', server.url), { headers: session })).status).toBe(401)
})

test.each([
  ['another origin', { origin: 'https://evil.example' }],
  ['no origin at all', {}],
  ['another site by the browser`s word', { 'sec-fetch-site': 'cross-site' }],
  ['a sandboxed frame', { origin: 'null' }],
  ['JSON from another origin', { origin: 'https://evil.example', 'content-type': 'application/json' }],
])('a session changes nothing for a request from %s', async (_what, headers) => {
  const cookie = await sessionCookie()

  const response = await fetch(new URL('/api/v1/enrolment-tokens', server.url), {
    method: 'POST',
    headers: { ...headers, cookie },
  })

  expect(response.status).toBe(403)
})

test('the dashboard`s own requests go through', async () => {
  const cookie = await sessionCookie()
  const { origin } = new URL(server.url)

  const response = await fetch(new URL('/api/v1/sync', server.url), { method: 'POST', headers: { origin, cookie } })

  expect(response.status).toBe(200)
})

test('a name that somebody points at this machine is not answered', async () => {
  expect(await statusFor('evil.example')).toBe(403)
  expect(await statusFor('localhost')).toBe(200)
})

test('open pages hear what changed, by noun and name', async () => {
  const line = await (await enrollAgent(server, 'web-1')).connect()
  const response = await fetch(new URL('/api/v1/events', server.url))
  expect(response.headers.get('content-type')).toContain('text/event-stream')
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  await reader?.read()

  await line.report(drifted('web-1'))

  let heard = ''
  while (!heard.includes('drift:web-1:nginx')) heard += (await reader?.read())?.value ?? ''
  expect(heard).toContain('event: changed\ndata: {"noun":"host","name":"web-1"}')
  expect(heard).toContain('{"noun":"service","name":"nginx"}')
  await server.stop()
  for (let ended = false; !ended; ) ended = (await reader?.read().catch(() => ({ done: true })))?.done ?? true
  await server.restart()
})

async function sessionCookie(): Promise<string> {
  const [cookie = ''] = (await signIn(server.operatorToken)).headers.getSetCookie()
  return cookie.split(';')[0] ?? ''
}

function signIn(token: string): Promise<Response> {
  const { origin } = new URL(server.url)
  const body = new URLSearchParams({ token, next: '/' })
  return fetch(new URL('/login', server.url), { method: 'POST', body, headers: { origin }, redirect: 'manual' })
}

function statusFor(host: string): Promise<number | undefined> {
  const { port } = new URL(server.url)
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path: '/api/v1/fleet', headers: { host: `${host}:${port}` } })
    asked.on('response', (response) => {
      response.resume()
      resolve(response.statusCode)
    })
    asked.on('error', reject)
    asked.end()
  })
}
