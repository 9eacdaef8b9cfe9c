// What was made with a credential ends with it: browser sessions, open streams, enrollment tokens, connections of agents.
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { drifted, enroll, enrollAgent, makeToken, newHostKey, startTestServer, type TestServer } from '../kit.ts'

let server: TestServer

beforeEach(async () => {
  server = await startTestServer({ viewers: 'signed-in' })
})

afterEach(() => server.remove())

test.each([
  ['GET', '/api/v1/fleet', 401],
  ['POST', '/api/v1/sync', 401],
  ['POST', '/api/v1/enrolment-tokens', 401],
  ['GET', '/api/v1/events', 401],
  ['GET', '/', 302],
  ['POST', '/sync', 303],
])(
  'after the operator token was replaced, a session made with the old one is refused: %s %s',
  async (method, path, status) => {
    const cookie = await signIn(server)
    await replaceOperatorToken(server)

    const response = await asBrowser(server, cookie, method, path)

    expect(response.status).toBe(status)
    if (status !== 401) expect(response.headers.get('location')).toContain('/login?required=1')
  },
)

test('an enrollment token made before the operator token was replaced enrolls no host', async () => {
  const token = await makeToken(server, { uses: 5, ttlMinutes: 600 })
  expect((await enroll(server, { token, host: 'web-1', publicKey: newHostKey().publicKey })).status).toBe(201)

  await replaceOperatorToken(server)

  expect((await enroll(server, { token, host: 'web-2', publicKey: newHostKey().publicKey })).status).toBe(403)
  expect(server.log()).toContain('what was made with the old one has ended')
})

test('a restart with the same operator token keeps sessions and enrollment tokens', async () => {
  const cookie = await signIn(server)
  const token = await makeToken(server)

  await server.restart()

  expect((await asBrowser(server, cookie, 'GET', '/api/v1/fleet')).status).toBe(200)
  expect((await enroll(server, { token, host: 'web-1', publicKey: newHostKey().publicKey })).status).toBe(201)
})

test.each(['sign-out', 'expiry'] as const)('an open stream of events ends with its session: %s', async (end) => {
  const agent = await enrollAgent(server, 'web-1')
  const line = await agent.connect()
  const cookie = await signIn(server)
  const stream = await asBrowser(server, cookie, 'GET', '/api/v1/events')
  expect(stream.status).toBe(200)

  if (end === 'expiry') server.clock.advance(8 * 24 * 3600)
  else await asBrowser(server, cookie, 'POST', '/logout')
  await line.report(drifted('web-1'))

  expect(await stream.text()).not.toContain('"noun":"service"')
})

async function signIn({ url, operatorToken }: TestServer): Promise<string> {
  const body = new URLSearchParams({ token: operatorToken })
  const headers = { origin: new URL(url).origin }
  const response = await fetch(new URL('/login', url), { method: 'POST', body, headers, redirect: 'manual' })
  return response.headers.get('set-cookie')?.split(';')[0] ?? ''
}

function asBrowser({ url }: TestServer, cookie: string, method: string, path: string): Promise<Response> {
  const form = method === 'POST' && !path.startsWith('/api/') ? { body: new URLSearchParams() } : {}
  return fetch(new URL(path, url), {
    ...{ method, redirect: 'manual', headers: { cookie, origin: new URL(url).origin } },
    ...form,
  })
}

async function replaceOperatorToken(replaced: TestServer): Promise<void> {
  await replaced.stop()
  await rm(join(replaced.data, 'operator-token'))
  await replaced.restart()
}
