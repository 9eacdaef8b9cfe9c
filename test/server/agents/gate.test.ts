import { connect } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  agentWith,
  drifted,
  enrollAgent,
  hello,
  newHostKey,
  openLine,
  reportOf,
  startTestServer,
  type TestServer,
} from '../kit.ts'

let server: TestServer

beforeEach(async () => {
  server = await startTestServer()
})

afterEach(() => server.remove())

test('a host that proves its key is welcomed, and its report is on record when it is acknowledged', async () => {
  const line = await (await enrollAgent(server, 'web-1')).connect()

  await line.report(drifted('web-1'))
  await server.restart()

  expect(await (await server.get('/api/v1/hosts/web-1')).json()).toMatchObject({
    state: 'drift',
    services: [{ service: 'nginx', state: 'drift', findings: [{ resource: 'file:/etc/nginx/nginx.conf' }] }],
  })
})

test('a signature that was good on another connection is refused on this one', async () => {
  const agent = await enrollAgent(server, 'web-1')
  const first = await openLine(server)
  const { nonce } = await first.next('challenge')
  const recorded = hello('web-1', nonce, agent.privateKey)
  first.send(recorded)
  await first.next('welcome')

  const second = await openLine(server)
  await second.next('challenge')
  second.send(recorded)

  expect((await second.next('refused')).reason).toBe('not an enrolled host, or not its key')
  expect((await second.closed).code).toBe(4001)
})

test('a wrong key and an unknown host are refused in the same words', async () => {
  await enrollAgent(server, 'web-1')
  const reasons = []
  for (const host of ['web-1', 'web-9']) {
    const line = await openLine(server)
    const { nonce } = await line.next('challenge')
    line.send(hello(host, nonce, newHostKey().privateKey))
    reasons.push((await line.next('refused')).reason)
  }

  expect(reasons[0]).toBe(reasons[1])
})

test('one host cannot report as another', async () => {
  await enrollAgent(server, 'web-1')
  const line = await (await enrollAgent(server, 'web-2')).connect()

  line.send({ type: 'report', report: drifted('web-1') })

  expect((await line.next('refused')).reason).toBe('web-2 may not report for web-1')
  expect(await (await server.get('/api/v1/hosts/web-1')).json()).toMatchObject({
    state: 'no-report',
    services: [{ state: 'no-report' }],
  })
})

test('the newer of two connections of one host stays', async () => {
  const agent = await enrollAgent(server, 'web-1')
  const older = await agent.connect()
  const newer = await agent.connect()

  expect((await older.closed).code).toBe(4002)
  await newer.report(reportOf('web-1'))
})

test('removing a host closes its connection at once, and its key opens nothing any more', async () => {
  const agent = await enrollAgent(server, 'web-1')
  const line = await agent.connect()

  await server.delete('/api/v1/hosts/web-1')

  expect((await line.closed).code).toBe(4004)
  await expect(agentWith(server, 'web-1', agent.privateKey).connect()).rejects.toThrow('the connection ended')
})

test.each([
  ['a type of its own', '{"type":"run","command":"id"}'],
  ['a poisoned prototype', '{"__proto__":{"type":"heartbeat","at":"x"}}'],
  ['no JSON', 'sync'],
  ['a report that is none', '{"type":"report","report":{"host":"web-1"}}'],
  ['a second hello', '{"type":"hello","protocol":1,"host":"web-1","agentVersion":"1","signature":""}'],
])('%s ends the connection', async (_what, text) => {
  const line = await (await enrollAgent(server, 'web-1')).connect()

  line.sendText(text)

  expect((await line.closed).code).toBe(4001)
})

test('before the hello nothing else is heard', async () => {
  await enrollAgent(server, 'web-1')
  const line = await openLine(server)

  line.send({ type: 'report', report: drifted('web-1') })

  expect((await line.next('refused')).reason).toBe('the first message must be hello')
})

test('a stranger who sends more than a mebibyte is cut off', async () => {
  const line = await openLine(server)

  line.sendText('x'.repeat(1_200_000))

  expect((await line.closed).code).toBe(1006)
})

test('a host may send a report of several mebibytes, and none above eight', async () => {
  const line = await (await enrollAgent(server, 'web-1')).connect()
  const problem = { code: 'internal', message: 'x'.repeat(4000) } as const
  await line.report(reportOf('web-1', { problems: Array.from({ length: 900 }, () => problem) }))

  line.sendText('x'.repeat(8 * 1024 * 1024 + 1))

  expect((await line.closed).code).toBe(1009)
})

test('a flood of messages ends the connection', async () => {
  const line = await (await enrollAgent(server, 'web-1')).connect()

  for (let count = 0; count < 1500; count += 1) line.send({ type: 'heartbeat', at: '2026-11-23T03:00:00.000Z' })

  expect((await line.closed).code).toBe(4003)
})

test('a sync reaches every connected agent, and is asked for by the sync token too', async () => {
  const lines = [
    await (await enrollAgent(server, 'web-1')).connect(),
    await (await enrollAgent(server, 'web-2')).connect(),
  ]

  const ask = async (path: string) => {
    const headers = { authorization: `Bearer ${server.syncToken}` }
    return await (await fetch(new URL(path, server.url), { method: 'POST', headers })).json()
  }

  const revision = await server.fleet.head()
  expect(await ask('/api/v1/sync')).toEqual({ asked: 2, alreadyAsked: 0, connected: 2, revision })
  await Promise.all(lines.map((line) => line.next('sync')))

  const revised = await server.fleet.commit({ 'services/nginx/README.md': '# nginx, again\n' })
  expect(await ask('/api/v1/sync')).toEqual({ asked: 2, alreadyAsked: 0, connected: 2, revision: revised })
  expect(await ask('/api/v1/hosts/web-1/sync')).toMatchObject({ host: 'web-1', connected: true })
})

test('a new commit that the server finds by itself makes agents sync', async () => {
  await server.restart({ fetchEverySeconds: 1 })
  const line = await (await enrollAgent(server, 'web-1')).connect()

  await server.fleet.commit({ 'services/nginx/README.md': '# nginx, again\n' })

  expect(await line.next('sync')).toEqual({ type: 'sync' })
})

test('a page of another site cannot open an agent connection', async () => {
  await expect(openLine(server, { origin: 'https://evil.example' })).rejects.toThrow('403')
})

test('an upgrade to any other address is refused', async () => {
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
  socket.write('GET /api/v1/elsewhere HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
  const answer = await new Promise<string>((resolve) => socket.once('data', (chunk) => resolve(String(chunk))))
  socket.destroy()

  expect(answer).toMatch(/^HTTP\/1.1 404 /)
})
