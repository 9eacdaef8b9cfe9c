import { createPublicKey, verify } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { expect, test, vi } from 'vitest'
import { ensureIdentity } from '../../../agent/report/identity.ts'
import { openSpool } from '../../../agent/report/spool.ts'
import { agentSocketPath, helloText, machineText, serverMessageSchema } from '../../../shared/protocol.ts'
import { makeCertificate } from '../../support/git.ts'
import { anApply, report, startAgent, startServer, stateDirectory, web, web1, welcomed } from './fixture.ts'

test('the agent proves who it is by signing the nonce of this very connection', async () => {
  const [server, state] = [await startServer(), await stateDirectory()]
  await startAgent(server.url, { state })

  const caller = await server.caller()
  const hello = await caller.hear()
  const { publicKey } = await ensureIdentity(state)

  expect(server.path).toEqual([agentSocketPath])
  expect(hello).toMatchObject({ type: 'hello', protocol: 1, host: 'web-1', agentVersion: '0.1.0' })
  const key = createPublicKey({ key: Buffer.from(publicKey, 'base64'), format: 'der', type: 'spki' })
  const signature = Buffer.from(hello.type === 'hello' ? hello.signature : '', 'base64')
  expect(verify(null, Buffer.from(helloText(caller.nonce, web1)), key, signature)).toBe(true)
})

test('the agent signs what it says of its machine for this very connection, and hears whether it is taken for a copy', async () => {
  const [server, state] = [await startServer(), await stateDirectory()]
  const agent = await startAgent(server.url, { state })
  const caller = await server.caller()
  const hello = await caller.hear()
  const { publicKey } = await ensureIdentity(state)
  const machine = hello.type === 'hello' ? hello.machine : undefined
  if (machine === undefined) throw new Error('no machine')

  const key = createPublicKey({ key: Buffer.from(publicKey, 'base64'), format: 'der', type: 'spki' })
  const signature = Buffer.from(machine.signature, 'base64')
  expect(verify(null, Buffer.from(machineText(caller.nonce, machine)), key, signature)).toBe(true)

  caller.say({ type: 'refused', reason: 'another machine', code: 'identity-shared' })
  await welcomed(server)
  await vi.waitFor(() => expect(agent.copies).toEqual([true, false]))
})

test('a report is sent after the welcome, one at a time, until each is acknowledged', async () => {
  const server = await startServer()
  const agent = await startAgent(server.url)
  agent.connection.publish(report('one', { apply: anApply }))
  agent.connection.publish(report('two', { apply: anApply }))
  const caller = await welcomed(server)

  expect(await caller.hear()).toMatchObject({ type: 'report', report: { id: 'one' } })
  caller.say({ type: 'ack', report: 'one' })
  expect(await caller.hear()).toMatchObject({ type: 'report', report: { id: 'two' } })
  caller.say({ type: 'ack', report: 'two' })
  await vi.waitFor(() => expect(agent.spool.next()).toBeUndefined())
  agent.connection.publish(report('three'))
  expect(await caller.hear()).toMatchObject({ type: 'report', report: { id: 'three' } })
})

test('with nothing new a heartbeat says that the host is there', async () => {
  const server = await startServer()
  const agent = await startAgent(server.url)
  const caller = await welcomed(server)
  await vi.waitFor(() => expect(agent.noted).toContain('connected'))

  agent.connection.publish(undefined)

  expect(await caller.hear()).toMatchObject({ type: 'heartbeat' })
})

test('a report that was on its way when the connection broke is sent again, under the same id', async () => {
  const server = await startServer()
  const agent = await startAgent(server.url)
  agent.connection.publish(report('one'))
  const first = await welcomed(server)
  expect(await first.hear()).toMatchObject({ report: { id: 'one' } })
  agent.connection.publish(report('two'))
  first.socket.terminate()

  const second = await welcomed(server)
  expect(await second.hear()).toMatchObject({ report: { id: 'one', dropped: 0 } })
  second.say({ type: 'ack', report: 'one' })
  expect(await second.hear()).toMatchObject({ report: { id: 'two', dropped: 0 } })
})

test('reports made while the server is away arrive when it is back, also after a restart of the agent', async () => {
  const state = await stateDirectory()
  const gone = await startServer()
  await gone.close()
  const before = await startAgent(gone.url, { state })
  before.connection.publish(report('applied', { apply: anApply }))
  before.connection.publish(report('latest'))
  before.connection.close()

  const server = await startServer({ port: gone.port })
  await startAgent(server.url, { state })
  const caller = await welcomed(server)

  expect(await caller.hear()).toMatchObject({ report: { id: 'applied' } })
  caller.say({ type: 'ack', report: 'applied' })
  expect(await caller.hear()).toMatchObject({ report: { id: 'latest' } })
})

test('the server may ask for a sync and a check; whatever else it says is ignored, once noted, and does nothing', async () => {
  const server = await startServer()
  const agent = await startAgent(server.url)
  const caller = await welcomed(server)

  for (const hostile of [
    { type: 'run', command: 'touch /tmp/owned' },
    { type: 'constructor' },
    { type: '__proto__' },
    { type: 'sync', __proto__: { type: 'run' }, repository: 'http://evil.example' },
    { type: 'ack' },
    { type: ['sync'] },
    [],
    'sync',
    null,
  ])
    caller.socket.send(JSON.stringify(hostile))
  caller.socket.send('not json')
  caller.socket.send(Buffer.from('{"type":"check"}'))
  caller.say({ type: 'check' })

  await vi.waitFor(() => expect(agent.asked).toEqual(['sync', 'check']))
  expect(agent.noted.filter((event) => event.includes('does not know'))).toHaveLength(1)
})

test('the server may say what it wants held: the complete list, after the welcome alone, in its bounds', async () => {
  const server = await startServer()
  const agent = await startAgent(server.url)
  const caller = await server.caller()
  await caller.hear()
  const hold = {
    id: 'one',
    service: web,
    by: 'ines@desk',
    why: 'the authority is down',
    since: '2026-11-23T12:00:00.000Z',
    until: '2026-11-23T14:00:00.000Z',
  }

  caller.say({ type: 'holds', holds: [{ ...hold, id: 'too-early' }] })
  caller.say({ type: 'welcome', serverVersion: '0.1.0' })
  caller.say({ type: 'holds', holds: [{ ...hold, command: 'id' }] })
  caller.say({ type: 'holds', holds: [{ ...hold, why: 'x'.repeat(501) }] })
  caller.say({ type: 'holds', holds: [] })

  await vi.waitFor(() => expect(agent.held).toEqual([[hold], []]))
  expect(agent.noted.filter((event) => event.includes('does not know'))).toHaveLength(1)
})

test('before the welcome nothing is done, and only one challenge is ever signed', async () => {
  const server = await startServer()
  const agent = await startAgent(server.url)
  agent.connection.publish(report('one'))
  const caller = await server.caller()
  expect((await caller.hear()).type).toBe('hello')

  caller.say({ type: 'sync' })
  caller.say({ type: 'ack', report: 'one' })
  caller.say({ type: 'challenge', nonce: 'b'.repeat(43), protocol: 1 })
  caller.say({ type: 'welcome', serverVersion: '0.1.0' })

  expect(await caller.hear()).toMatchObject({ type: 'report', report: { id: 'one' } })
  expect(agent.asked).toEqual([])
})

test('the messages of the server are the seven that are written down', () => {
  const types = serverMessageSchema.options.map((option) => option.shape.type.value)

  expect(types).toEqual(['challenge', 'welcome', 'ack', 'sync', 'check', 'holds', 'refused'])
})

test('a refusal is noted with its reason, and tried again', async () => {
  const server = await startServer()
  const agent = await startAgent(server.url)
  const caller = await server.caller()
  caller.say({ type: 'refused', reason: 'not an enrolled host, or not its key' })

  expect((await (await server.caller()).hear()).type).toBe('hello')
  expect(agent.noted).toContain('refused: not an enrolled host, or not its key')
})

test('a report that the server refuses again and again is given up, and the next one says so', async () => {
  const server = await startServer()
  const agent = await startAgent(server.url)
  agent.connection.publish(report('poison'))
  for (let time = 0; time < 3; time += 1) {
    const caller = await welcomed(server)
    expect(await caller.hear()).toMatchObject({ report: { id: 'poison' } })
    caller.say({ type: 'refused', reason: 'not a message of this protocol' })
  }
  const caller = await welcomed(server)
  await vi.waitFor(() => expect(agent.noted.at(-1)).toBe('connected'))
  agent.connection.publish(report('healthy'))

  expect(await caller.hear()).toMatchObject({ report: { id: 'healthy', dropped: 1 } })
})

test('a connection on which nothing is heard any more is given up for a new one', async () => {
  const server = await startServer()
  const agent = await startAgent(server.url, { delays: { firstMs: 5, mostMs: 10, silenceMs: 100 } })
  const silent = await welcomed(server)
  silent.socket.pause()

  await welcomed(server)
  expect(agent.noted).toContain('lost: nothing was heard for too long')
})

test('pings keep a quiet connection', async () => {
  const server = await startServer()
  const agent = await startAgent(server.url, { delays: { firstMs: 5, mostMs: 10, silenceMs: 150 } })
  const caller = await welcomed(server)
  for (let ping = 0; ping < 10; ping += 1) {
    const answered = new Promise((resolve) => caller.socket.once('pong', resolve))
    caller.socket.ping()
    await answered
    await new Promise((resolve) => setTimeout(resolve, 30))
  }

  expect(agent.noted).toEqual(['connected'])
})

test('a report that is not acknowledged in time is sent again', async () => {
  const server = await startServer()
  const agent = await startAgent(server.url, { delays: { firstMs: 5, mostMs: 10, acknowledgedMs: 50 } })
  agent.connection.publish(report('one'))
  await (await welcomed(server)).hear()

  expect(await (await welcomed(server)).hear()).toMatchObject({ report: { id: 'one' } })
})

test('waits grow with every failure up to the ceiling, spread over the whole of it', async () => {
  const waits: number[] = []
  const timers = vi.spyOn(globalThis, 'setTimeout').mockImplementation(((work: () => void, ms: number) => {
    if (ms < 15_000) waits.push(ms)
    return realTimeout(work, Math.min(ms, 1))
  }) as typeof setTimeout)
  const gone = await startServer()
  await gone.close()
  const delays = { firstMs: 100, mostMs: 800 }
  const agent = await startAgent(gone.url, { random: () => 0.25, delays })

  await vi.waitUntil(() => waits.filter((ms) => ms >= 25).length >= 6)
  agent.connection.close()
  timers.mockRestore()
  expect(waits.filter((ms) => ms >= 25).slice(0, 6)).toEqual([25, 50, 100, 200, 200, 200])
})

test('a server that shuts the door right after the welcome is not hammered', async () => {
  const server = await startServer()
  const agent = await startAgent(server.url, { random: () => 1, delays: { firstMs: 1, mostMs: 200 } })
  const times: number[] = []
  for (let time = 0; time < 7; time += 1) {
    const caller = await welcomed(server)
    times.push(performance.now())
    caller.socket.close()
  }

  expect((times[6] ?? 0) - (times[5] ?? 0)).toBeGreaterThan(((times[1] ?? 0) - (times[0] ?? 0)) * 2)
  expect(agent.noted.filter((event) => event === 'connected').length).toBeGreaterThan(3)
})

test('the same failure is noted once, not every few seconds of a night', async () => {
  const gone = await startServer()
  await gone.close()
  const agent = await startAgent(gone.url, { delays: { firstMs: 1, mostMs: 2 } })
  await new Promise((resolve) => setTimeout(resolve, 100))

  expect(agent.noted).toHaveLength(1)
  expect(agent.noted[0]).toContain('ECONNREFUSED')
})

test('over TLS the pinned key is the server, whatever its name; any other is not', async () => {
  const pinned = await makeCertificate('plumb.example.org')
  const server = await startServer({ tls: pinned })
  const impostor = await startServer({ tls: await makeCertificate('127.0.0.1') })

  await startAgent(server.url, { certificate: pinned.cert })
  expect((await (await server.caller()).hear()).type).toBe('hello')
  const fooled = await startAgent(impostor.url, { certificate: pinned.cert })
  const unpinned = await startAgent(server.url)
  await vi.waitFor(() => expect([fooled.noted.length, unpinned.noted.length]).toEqual([1, 1]))

  expect(fooled.noted[0]).toBe('lost: the server shows another key than the pinned one')
  expect(unpinned.noted[0]).toMatch(/lost: .*self-signed/)
  expect(impostor.path).toEqual([])
})

test('plain http is dialled on this machine alone', async () => {
  const agent = await startAgent('http://plumb.example.org')

  expect(agent.noted).toHaveLength(1)
  expect(agent.noted[0]).toContain('not an https:// address')
})

test('closing the connection ends it for good', async () => {
  const [server, state] = [await startServer(), await stateDirectory()]
  const agent = await startAgent(server.url, { state })
  const caller = await welcomed(server)
  const closed = new Promise((resolve) => caller.socket.once('close', resolve))
  agent.connection.close()
  await closed
  agent.connection.publish(report('kept'))
  await new Promise((resolve) => setTimeout(resolve, 60))

  expect(server.path).toHaveLength(1)
  expect(openSpool(state).next()?.id).toBe('kept')
  expect(await readFile(`${state}/spool.json`, 'utf8')).toContain('kept')
})

const realTimeout = globalThis.setTimeout
