// Bytes that no client of good will sends, over http and over TLS: at the end the server answers, and holds no socket of theirs.
import { readFileSync } from 'node:fs'
import { connect as connectPlain } from 'node:net'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { agentSocketPath } from '../../../shared/protocol.ts'
import { type ServerProcess, startServerProcess } from '../server-process.ts'

const runs = 100
/** A client of the property waits this long for an answer at most, then leaves. */
const patienceMs = 300

describe.each([
  ['http', []],
  ['TLS', ['--tls-self-signed']],
])('over %s', (_name, options) => {
  let server: ServerProcess
  let idle: number

  beforeAll(async () => {
    server = await startServerProcess({ options })
    await expectAnswer(server)
    idle = await settledSockets(server)
  })
  afterAll(() => server.stop())

  test('one upgrade request for // and its like', async () => {
    const targets = [
      '//',
      '///',
      '/\\',
      '//:0',
      'http://',
      'http://[',
      '*',
      '?',
      '#',
      '//@',
      '/%',
      '/%ff',
      '/\u0000',
      '',
    ]
    for (const target of targets) {
      for (const method of ['GET', 'CONNECT', 'POST']) {
        const upgrade = 'Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n'
        await throwAt(server, [Buffer.from(`${method} ${target} HTTP/1.1\r\n${upgrade}\r\n`)])
        await throwAt(server, [Buffer.from(`${method} ${target} HTTP/1.1\r\nHost: [\r\n\r\n`)])
      }
    }
    await expectAnswer(server)
  })

  test('random request lines, headers, upgrades and frames', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(conversation, { minLength: 1, maxLength: 8 }), async (conversations) => {
        await Promise.all(conversations.map((chunks) => throwAt(server, chunks)))
        await expectAnswer(server)
      }),
      { numRuns: runs, interruptAfterTimeLimit: 120_000 },
    )
    expect(await settledSockets(server, idle)).toBeLessThanOrEqual(idle)
    expect(server.log()).not.toContain('an event handler failed')
  })

  test('bytes that are not even the right protocol', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 2000 }), async (bytes) => {
        await throwAt(server, [bytes], { below: true })
        await expectAnswer(server)
      }),
      { numRuns: 40, interruptAfterTimeLimit: 60_000 },
    )
  })
})

const nasty = fc.constantFrom(
  '//',
  '/',
  '',
  '/..',
  '/%',
  '/%zz',
  '\\',
  '[',
  ']',
  ':',
  '@',
  '#',
  '?',
  '\u0000',
  '\u00ff',
)
const word = fc.oneof(nasty, fc.string({ maxLength: 40 }), fc.constantFrom('websocket', 'Upgrade', 'x'.repeat(9000)))
const path = fc.oneof(
  fc.constantFrom(
    agentSocketPath,
    '/healthz',
    '/api/v1/events',
    '/api/v1/agents/enrol',
    '/login',
    '/git/fleet.git/info/refs',
  ),
  fc.array(word, { maxLength: 6 }).map((words) => words.join('')),
)
const header = fc.oneof(
  fc.tuple(
    fc.constantFrom(
      ...['Host', 'Origin', 'Cookie', 'Authorization', 'Content-Length', 'Transfer-Encoding', 'Connection', 'Upgrade'],
      ...[
        'Sec-WebSocket-Key',
        'Sec-WebSocket-Version',
        'Sec-WebSocket-Extensions',
        'Expect',
        'X-Forwarded-For',
        'Accept',
      ],
    ),
    fc.oneof(
      word,
      fc.constantFrom('Bearer x', 'Basic Og==', 'Basic ////', '-1', 'chunked', '99999999999', '100-continue'),
    ),
  ),
  fc.tuple(word, word),
)
const upgradeHeaders = fc.constant([
  ['Host', 'x'],
  ['Connection', 'Upgrade'],
  ['Upgrade', 'websocket'],
  ['Sec-WebSocket-Version', '13'],
  ['Sec-WebSocket-Key', 'AAAAAAAAAAAAAAAAAAAAAA=='],
] as const)
const head = fc
  .tuple(
    fc.constantFrom('GET', 'GET', 'POST', 'DELETE', 'CONNECT', 'OPTIONS', 'PRI', 'X'),
    path,
    fc.constantFrom('HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0', 'HTTP/9', ''),
    fc.oneof(upgradeHeaders, fc.array(header, { maxLength: 8 })),
  )
  .map(([method, target, version, headers]) => {
    const lines = headers.map(([name, value]) => `${name}: ${value}`)
    return Buffer.from([`${method} ${target} ${version}`, ...lines, '', ''].join('\r\n'), 'latin1')
  })
const text = fc.oneof(
  fc.json(),
  fc.string(),
  fc.constantFrom(
    '{"type":"hello","protocol":1,"host":"web-1","agentVersion":"1","signature":"AAAA"}',
    '{"type":"report"}',
    '{"__proto__":{"type":"hello"}}',
    `${'['.repeat(5000)}`,
    '{"type":"heartbeat","at":1e999}',
  ),
)
const frame = fc.oneof(
  fc.tuple(fc.nat(255), text).map(([first, said]) => masked(first, Buffer.from(said))),
  text.map((said) => masked(0x81, Buffer.from(said))),
  fc.uint8Array({ maxLength: 300 }),
)
const conversation: fc.Arbitrary<readonly Uint8Array[]> = fc.oneof(
  fc.tuple(head, fc.array(frame, { maxLength: 6 })).map(([first, frames]) => [first, ...frames]),
  fc.array(fc.oneof(head, fc.uint8Array({ maxLength: 500 })), { maxLength: 4 }),
)

function masked(first: number, payload: Buffer): Buffer {
  const length = payload.length < 126 ? [0x80 | payload.length] : [0xfe, payload.length >> 8, payload.length & 255]
  return Buffer.concat([Buffer.from([first, ...length, 0, 0, 0, 0]), payload])
}

/** Sends, waits for an answer or a while, and leaves, half of the times without a word. */
async function throwAt(
  server: ServerProcess,
  chunks: readonly Uint8Array[],
  { below = false }: { readonly below?: boolean } = {},
): Promise<void> {
  const socket = await dial(server, below)
  const answered = new Promise<void>((resolve) => {
    socket.once('data', () => resolve())
    socket.once('close', () => resolve())
    setTimeout(resolve, patienceMs)
  })
  for (const chunk of chunks) if (socket.writable) socket.write(chunk)
  await answered
  if (chunks.length % 2 === 0) socket.end()
  socket.destroy()
}

function dial({ url, data }: ServerProcess, below: boolean): Promise<Duplex> {
  const to = { host: '127.0.0.1', port: Number(url.port) }
  const isTls = url.protocol === 'https:' && !below
  const ca = isTls ? readFileSync(join(data, 'tls/certificate.pem')) : undefined
  return new Promise((resolve, reject) => {
    const socket: Duplex =
      ca === undefined
        ? connectPlain(to, () => resolve(socket))
        : connectTls({ ...to, ca, servername: 'localhost' }, () => resolve(socket))
    // A reset is an answer too, once the connection is there.
    socket.on('error', reject)
  })
}

async function expectAnswer(server: ServerProcess): Promise<void> {
  const socket = await dial(server, false)
  socket.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
  let answer = ''
  for await (const chunk of socket) answer += String(chunk)
  expect(answer).toContain('"ok":true')
  expect(server.child.exitCode).toBeNull()
}

/** Waits for sockets to be closed down to `least`, or, without it, until their number does not change any more. */
async function settledSockets(server: ServerProcess, least?: number): Promise<number> {
  let before = -1
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const now = server.sockets()
    if (least === undefined ? now === before : now <= least) return now
    before = now
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  return before
}
