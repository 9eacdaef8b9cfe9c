// One client takes all that it can get, and a second one is served meanwhile.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { bounds } from '../../../server/allowance/bounds.ts'
import { agentSocketPath } from '../../../shared/protocol.ts'
import {
  drifted,
  enrollAgent,
  findingOf,
  reportOf,
  serviceOf,
  someRevision,
  startTestServer,
  type TestServer,
} from '../kit.ts'

/** Behind this proxy every client has the address that it is given. */
const trusted = { trustedProxies: ['127.0.0.1/32'] }
let server: TestServer
const sockets: Socket[] = []

beforeEach(async () => {
  server = await startTestServer(trusted)
})
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await server.remove()
})

test.each([
  ['an address', () => '203.0.113.1', '203.0.113.2'],
  ['an IPv6 network', (n: number) => `2001:db8::${n}`, '2001:db8:0:1::1'],
] as const)('attempts to sign in from %s', async (_what, rogue, other) => {
  const signIn = (from: string, token: string) =>
    fetch(new URL('/login', server.url), {
      ...{ method: 'POST', redirect: 'manual', body: new URLSearchParams({ token }) },
      headers: { 'x-forwarded-for': from, origin: new URL(server.url).origin },
    })
  for (let n = 0; n < 2 * bounds.logIns.limit; n += 1)
    expect((await signIn(rogue(n), server.operatorToken)).status).toBe(303)
  const statuses: number[] = []
  for (let attempt = 0; attempt <= bounds.logIns.limit; attempt += 1)
    statuses.push((await signIn(rogue(attempt), 'a guess')).status)

  expect(statuses.at(0)).toBe(401)
  expect(statuses.at(-1)).toBe(429)
  expect((await signIn(other, server.operatorToken)).status).toBe(303)
})

test('attempts to enroll', async () => {
  const enroll = (from: string) =>
    fetch(new URL('/api/v1/agents/enrol', server.url), {
      method: 'POST',
      body: '{}',
      headers: { 'x-forwarded-for': from },
    })
  let status = 0
  for (let attempt = 0; status !== 429 && attempt < 20 * bounds.enrollments.limit; attempt += 1)
    status = (await enroll('203.0.113.1')).status

  expect(status).toBe(429)
  expect((await enroll('203.0.113.2')).status).toBe(400)
  await (await enrollAgent(server, 'web-1')).connect()
})

describe('bodies of strangers', () => {
  const paths = ['/api/v1/agents/enrol', '/login', '/api/v1/holds', '/hosts/web-1/hold', '/nowhere']

  test.each(paths)('%s takes a few KiB of them, and of an operator more', async (path) => {
    const post = (size: number, headers: Record<string, string>) =>
      fetch(new URL(path, server.url), {
        ...{ method: 'POST', redirect: 'manual', body: new Blob(['x'.repeat(size)]).stream(), duplex: 'half' },
        headers: {
          origin: new URL(server.url).origin,
          'content-type': 'application/x-www-form-urlencoded',
          ...headers,
        },
      })
    const token = { authorization: `Bearer ${server.operatorToken}` }
    const status = async (size: number, headers = {}) => (await post(size, headers)).status

    expect(await status(bounds.strangersBody.limit)).not.toBe(413)
    expect(await status(bounds.strangersBody.limit + 1)).toBe(413)
    expect(await status(bounds.body.limit, token)).not.toBe(413)
    expect(await status(bounds.body.limit + 1, token)).toBe(413)
  })

  test.each(paths)('%s: one address has its share of those that never end', async (path) => {
    const unfinished = bounds.strangersBody.limit - 1
    const all = Math.floor(bounds.bodyBytes.limit / unfinished)
    for (let n = 0; n < all; n += 1) startBody(path, { from: '203.0.113.1', size: unfinished })

    expect(await answerTo(() => startBody(path, { from: '203.0.113.1', size: unfinished }))).toMatch(/ (503|429) /)
    const good = startBody(path, { from: '203.0.113.2', size: 3 })
    good.write('0\r\n\r\n')
    expect(await answerTo(() => good)).not.toMatch(/ (503|429) /)
  })

  test.each([
    ['/login', bounds.logIns.limit, 'token=a+guess'],
    ['/api/v1/agents/enrol', bounds.enrollments.limit, '{}'],
  ] as const)('%s does not wait for a body that comes too often', async (path, attempts, body) => {
    const origin = new URL(server.url).origin
    const headers = { 'x-forwarded-for': '203.0.113.1', origin, 'content-type': 'application/x-www-form-urlencoded' }
    let status = 0
    for (let n = 0; status !== 429 && n < 20 * attempts; n += 1)
      status = (await fetch(new URL(path, server.url), { method: 'POST', headers, body })).status

    // The clock gives an attempt back now and then: one of many comes too often for sure.
    const answers = Array.from({ length: 100 }, () => answerTo(() => startBody(path, { from: '203.0.113.1', size: 3 })))
    const refused = answers.map(async (answer) => expect(await answer).toContain(' 429 '))
    await Promise.any(refused)
  })
})

test('live pages', async () => {
  const held: Response[] = []
  const open = async (headers: Record<string, string>) => {
    const response = await fetch(new URL('/api/v1/events', server.url), { headers })
    // An unreferenced response is closed by the garbage collector.
    held.push(response)
    return response.status
  }
  const token = { authorization: `Bearer ${server.operatorToken}` }
  for (let n = 0; n <= bounds.streams.limit; n += 1) {
    const asked = { method: 'HEAD', headers: token }
    expect((await fetch(new URL('/api/v1/events', server.url), asked)).status).toBe(200)
  }
  const statuses: number[] = []
  for (let n = 0; n <= bounds.streams.limit; n += 1) statuses.push(await open(token))
  const session = await fetch(new URL('/login', server.url), {
    ...{ method: 'POST', redirect: 'manual', body: new URLSearchParams({ token: server.operatorToken }) },
    headers: { origin: new URL(server.url).origin },
  })

  expect(statuses.slice(0, -1).every((status) => status === 200)).toBe(true)
  expect(statuses.at(-1)).toBe(503)
  expect(await open({ cookie: session.headers.get('set-cookie')?.split(';')[0] ?? '' })).toBe(200)
})

test('agent connections that prove nothing', async () => {
  const first = await Promise.all(Array.from({ length: bounds.strangers.limit }, () => upgrade('203.0.113.1')))
  expect(new Set(first)).toEqual(new Set(['HTTP/1.1 101 Switching Protocols']))

  expect(await upgrade('203.0.113.1')).toBe('HTTP/1.1 503 Service Unavailable')
  expect(await upgrade('203.0.113.2')).toBe('HTTP/1.1 101 Switching Protocols')
  const line = await (await enrollAgent(server, 'web-1')).connect()
  await line.report(reportOf('web-1'))
})

test('connections that ask nothing', async () => {
  const dial = (localAddress: string): Socket => {
    const socket = connect({ port: Number(new URL(server.url).port), host: '127.0.0.1', localAddress })
    socket.on('error', () => {})
    sockets.push(socket)
    return socket
  }
  const closed = Promise.withResolvers<void>()
  for (let n = 0; n <= bounds.sockets.limit; n += 1) dial('127.0.0.2').once('close', () => closed.resolve())
  await closed.promise

  const good = dial('127.0.0.3')
  good.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n')

  expect(String((await once(good, 'data'))[0])).toContain('200 OK')
})

test('large reports, one after the other', async () => {
  const rogue = await (await enrollAgent(server, 'web-1')).connect()
  const good = await (await enrollAgent(server, 'web-2')).connect()
  let over = false
  let sent = 0
  const flooding = (async () => {
    for (; !over; sent += 1) await rogue.report(largeReport(sent))
  })()

  for (let n = 0; n < 5; n += 1) {
    const before = sent
    await good.report(n % 2 === 0 ? drifted('web-2') : reportOf('web-2'))
    expect((await server.get('/healthz')).status).toBe(200)
    expect((await server.get('/hosts/web-1')).status).toBe(200)
    while (sent === before) await new Promise((resolve) => setTimeout(resolve, 5))
  }
  over = true
  await flooding

  expect(sent).toBeGreaterThanOrEqual(5)
})

function largeReport(seed: number) {
  const findings = Array.from({ length: 6000 }, (_, n) => findingOf(`/etc/f${n}`, `${seed}`))
  const changes = Array.from({ length: 300 }, (_, n) => ({
    ...serviceChange,
    summary: `${seed} ${n} `.padEnd(4000, 'x'),
  }))
  const apply = { revision: someRevision, at: '2026-11-23T03:00:00Z', failed: [], changes }
  return reportOf('web-1', { services: [serviceOf('nginx', { findings })], apply })
}

const serviceChange = { service: serviceOf('nginx').service }

type Unfinished = { readonly from: string; readonly size: number }

/** A body in chunks that does not end. */
function startBody(path: string, { from, size }: Unfinished): Socket {
  const { host, port, origin } = new URL(server.url)
  const socket = connect(Number(port), '127.0.0.1')
  sockets.push(socket)
  socket.on('error', () => {})
  const headers = [`Host: ${host}`, `Origin: ${origin}`, `X-Forwarded-For: ${from}`, 'Transfer-Encoding: chunked']
  headers.push('Content-Type: application/x-www-form-urlencoded')
  socket.write(`POST ${path} HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n`)
  socket.write(`${size.toString(16)}\r\n${'x'.repeat(size)}\r\n`)
  return socket
}

/** The first line. */
async function answerTo(dial: () => Socket): Promise<string> {
  const socket = dial()
  return await new Promise((resolve) => {
    socket.once('data', (chunk: Buffer) => resolve(chunk.toString('latin1').split('\r\n')[0] ?? ''))
    socket.once('close', () => resolve('closed'))
  })
}

/** The first line of the answer; the connection stays open. */
async function upgrade(from: string): Promise<string> {
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
  sockets.push(socket)
  socket.on('error', () => {})
  const headers = `Host: localhost\r\nX-Forwarded-For: ${from}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n`
  const key = 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n'
  socket.write(`GET ${agentSocketPath} HTTP/1.1\r\n${headers}${key}\r\n`)
  return await new Promise((resolve) => {
    socket.once('data', (chunk: Buffer) => resolve(chunk.toString('latin1').split('\r\n')[0] ?? ''))
    socket.once('close', () => resolve('closed'))
  })
}
