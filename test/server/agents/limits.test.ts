import { createServer, type Server } from 'node:http'
import { connect, type Socket } from 'node:net'
import { pino } from 'pino'
import { afterEach, expect, test } from 'vitest'
import { type AgentGate, createAgentGate, type GateLimits, type GateParts } from '../../../server/agents/gate.ts'
import { EventFeed } from '../../../server/app/events.ts'
import { hostNameSchema } from '../../../shared/names.ts'
import { agentSocketPath, frameLimitBeforeHello } from '../../../shared/protocol.ts'
import { hello, newHostKey } from '../kit.ts'

const web1 = hostNameSchema.parse('web-1')
const key = newHostKey()
let server: Server
let gate: AgentGate
const clients: Socket[] = []
let changed = () => {}
let heard = () => {}
let offlineAfterMs = 300_000

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy()
  await gate.close()
  await new Promise((resolve) => server.close(resolve))
})

test('who says no hello in time is sent away', async () => {
  await open({ helloWithinMs: 50 })
  const stranger = await upgraded()

  await ended(stranger)
})

test('a host that answers no pings is gone', async () => {
  await open({ pingEveryMs: 50 })
  const agent = await authenticated()
  expect(gate.isConnected(web1)).toBe(true)

  await ended(agent)
  while (gate.isConnected(web1)) await nextChange()
})

test('a host that has nothing to say is heard of by its answers to pings', async () => {
  await open({ pingEveryMs: 50 })
  const agent = await authenticated()
  const word = nextWord()

  agent.write(pong)

  await word
})

test('a host that may be offline for some seconds only is asked often enough to be heard of, whatever it is busy with', async () => {
  offlineAfterMs = 4000
  await open({})
  const agent = await authenticated()
  let pings = 0
  agent.on('data', (chunk: Buffer) => {
    pings += chunk.filter((byte) => byte === ping).length
    agent.write(pong)
  })

  while (pings < 3) await nextWord()

  expect(gate.isConnected(web1)).toBe(true)
  offlineAfterMs = 300_000
})

test('a host that does not read is cut off before it costs memory', async () => {
  await open({ unreadBytes: 64 * 1024, pingEveryMs: 60_000 })
  const agent = await authenticated()
  agent.pause()

  let asked = 0
  while (gate.isConnected(web1) && asked < 5_000_000) {
    for (let more = 0; more < 10_000; more += 1) asked += Number(gate.send(web1, { type: 'check' }))
    await new Promise((resolve) => setImmediate(resolve))
  }

  expect(gate.isConnected(web1)).toBe(false)
})

test('only so many strangers may wait at the gate', async () => {
  await open({ strangers: { total: 2, each: 2 } })
  await upgraded()
  await upgraded()

  const third = await dial()

  expect(await firstLine(third)).toBe('HTTP/1.1 503 Service Unavailable')
})

test('a host whose reports cost many rows is read later, and another meanwhile', async () => {
  const received: string[] = []
  await open({ reportRows: { burst: 5, perSecond: 0.001 } }, async ({ id }) => {
    received.push(id)
    return 10
  })
  const costly = await authenticated('web-1')
  costly.write(frame(reportText('web-1', 'first')))
  await textUntil(costly, /"(ack)"/)
  costly.write(frame(reportText('web-1', 'second')))

  const other = await authenticated('web-2')
  other.write(frame(reportText('web-2', 'other')))
  await textUntil(other, /"(ack)"/)

  expect(received).toEqual(['first', 'other'])
})

test.each([
  ['one frame that does not end', Buffer.from([0x81, 0x80 | 126, 0xff, 0xff, 0, 0, 0, 0])],
  ['one that says to be of a MiB', Buffer.from([0x81, 0x80 | 127, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0])],
  ['fragments', Buffer.from([0x01, 0x80, 0, 0, 0, 0])],
])('a stranger who sends %s is sent away after a few KiB', async (_what, start) => {
  await open({})
  const stranger = await upgraded()
  stranger.write(Buffer.concat([start, Buffer.alloc(frameLimitBeforeHello)]))

  await ended(stranger)
})

test('the longest hello is far below what a stranger may send', () => {
  const host = `${'a'.repeat(63)}`
  const marker = { id: 'f'.repeat(64), boot: 'b'.repeat(64), run: 'r'.repeat(64) }

  const longest = { ...hello(host, 'nonce', key.privateKey, marker), agentVersion: '1'.repeat(50) }
  expect(JSON.stringify(longest).length).toBeLessThan(frameLimitBeforeHello / 2)
})

test('a report that cannot be stored is not acknowledged; the agent is to try again', async () => {
  await open({}, () => Promise.reject(new Error('disk full')))
  const agent = await authenticated()
  let heard = ''
  agent.on('data', (chunk: Buffer) => {
    heard += chunk.toString('latin1')
  })

  agent.write(frame(reportText('web-1', 'r')))
  await ended(agent)

  expect(heard).not.toContain('ack')
  expect(heard).toContain('try again')
})

async function open(
  limits: Partial<GateLimits>,
  receive: GateParts['receive'] = () => Promise.resolve(0),
): Promise<void> {
  const events = new EventFeed()
  events.subscribe(['host-heard'], () => heard())
  events.subscribe(['connection-changed'], () => changed())
  gate = createAgentGate({
    publicUrl: new URL('http://127.0.0.1/'),
    clientAddress: () => '127.0.0.1',
    machines: { copySignOf: async () => undefined },
    version: '0.1.0',
    log: pino({ level: 'silent' }),
    publicKeyOf: async () => key.publicKey,
    events,
    receive,
    offlineAfterMs: () => offlineAfterMs,
    proved: () => {},
    limits,
  })
  server = createServer()
  server.on('upgrade', gate.upgrade)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
}

/** Masked with zeroes, without content. */
const pong = Buffer.from([0x8a, 0x80, 0, 0, 0, 0])

/** The first byte of one without content; the other is 0. */
const ping = 0x89

function nextWord(): Promise<void> {
  return new Promise((resolve) => {
    heard = resolve
  })
}

function nextChange(): Promise<void> {
  return new Promise((resolve) => {
    changed = resolve
  })
}

async function dial(): Promise<Socket> {
  const address = server.address()
  const client = connect(typeof address === 'object' && address !== null ? address.port : 0, '127.0.0.1')
  client.on('error', () => {})
  clients.push(client)
  client.write(
    [
      `GET ${agentSocketPath} HTTP/1.1`,
      ...['Host: x', 'Connection: Upgrade', 'Upgrade: websocket'],
      ...['Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', '', ''],
    ].join('\r\n'),
  )
  return client
}

/** With the challenge still unread: a client without a WebSocket library, that answers nothing by itself. */
async function upgraded(): Promise<Socket> {
  const client = await dial()
  expect(await firstLine(client)).toBe('HTTP/1.1 101 Switching Protocols')
  return client
}

async function authenticated(host = 'web-1'): Promise<Socket> {
  const client = await dial()
  const nonce = await textUntil(client, /"nonce":"([\w-]+)"/)
  client.write(frame(JSON.stringify(hello(host, nonce, key.privateKey))))
  await textUntil(client, /"(welcome)"/)
  return client
}

async function firstLine(client: Socket): Promise<string> {
  return textUntil(client, /^([^\r]+)\r/)
}

function textUntil(client: Socket, pattern: RegExp): Promise<string> {
  let text = ''
  return new Promise((resolve) => {
    const hear = (chunk: Buffer) => {
      text += chunk.toString('latin1')
      const found = pattern.exec(text)?.[1]
      if (found === undefined) return
      client.off('data', hear)
      resolve(found)
    }
    client.on('data', hear)
  })
}

function reportText(host: string, id: string): string {
  const about = { id, host, at: 't', agentVersion: '1', platform: 'p' }
  return JSON.stringify({ type: 'report', report: { ...about, services: [], problems: [], dropped: 0 } })
}

function ended(client: Socket): Promise<void> {
  client.resume()
  return new Promise((resolve) => client.once('close', () => resolve()))
}

/** RFC 6455: a final text frame, masked with zeros. */
function frame(text: string): Buffer {
  const payload = Buffer.from(text)
  const length = Buffer.from([0x81, 0x80 | 126, payload.length >> 8, payload.length & 0xff, 0, 0, 0, 0])
  return Buffer.concat([length, payload])
}
