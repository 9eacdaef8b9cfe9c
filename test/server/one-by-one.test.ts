// The server's socket: requests of one connection one after the other, of one address so many, and none that never ends.
import { once } from 'node:events'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { pino } from 'pino'
import { afterEach, describe, expect, test } from 'vitest'
import { bounds } from '../../server/allowance/bounds.ts'
import { type HttpServer, type ListenParts, startListening } from '../../server/http-server.ts'

let server: HttpServer
const clients: Socket[] = []

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy()
  await server.close()
})

describe('requests that a client sends ahead', () => {
  test('are started one after the other, each after the answer to the one before', async () => {
    const started: string[] = []
    const held = new Map<string, ServerResponse>()
    let wake = () => {}
    await open((request, response) => {
      started.push(request.url ?? '')
      held.set(request.url ?? '', response)
      wake()
    })
    const client = dial()
    client.write(['/1', '/2', '/3'].map((path) => get(path)).join(''))

    for (const [n, path] of ['/1', '/2', '/3'].entries()) {
      while (started.length <= n) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      expect(started).toHaveLength(n + 1)
      held.get(path)?.end(`answer ${path}`)
      await heard(client, `answer ${path}`)
    }
  })

  test('and are too many close the connection, and no other', async () => {
    let started = 0
    await open((request, response) => {
      started += 1
      if (request.url === '/fine') response.end('fine')
    })
    const client = dial()
    client.write(get('/held').repeat(1000))

    await once(client, 'close')

    expect(started).toBe(1)
    const other = dial()
    other.write(get('/fine'))
    await heard(other, 'fine')
  })

  test('and are just as many as may wait are answered', async () => {
    await open((_request, response) => response.end('fine;'))
    const client = dial()
    client.write(get('/').repeat(bounds.requestsAhead.limit))

    await heard(client, new RegExp(`(fine;.*){${bounds.requestsAhead.limit}}`, 's'))
  })

  test('and have bodies keep their own', async () => {
    await open(async (request, response) => response.end(`<${await bodyOf(request)}>`))
    const client = dial()
    const post = (body: string) => `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`
    client.write(post('one') + post('two') + get('/'))

    await heard(client, /<one>.*<two>.*<>/s)
  })
})

test.each(['throws', 'rejects'])(
  'a handler that %s closes its own connection, also for a request that waited',
  async (how) => {
    await open((request, response) => {
      if (request.url === '/fine') return void response.end('fine')
      if (how === 'throws') throw new Error('a fault of ours')
      return Promise.reject(new Error('a fault of ours'))
    })
    const client = dial()
    client.write(get('/fine') + get('/faulty'))
    client.resume()

    await once(client, 'close')

    const other = dial()
    other.write(get('/fine'))
    await heard(other, 'fine')
  },
)

test('an address that asks for too much is refused, and another is answered', async () => {
  await open((_request, response) => response.end('fine'), {
    clientAddress: ({ headers }) => `${headers['x-from']}`,
    requests: { burst: 2, perSecond: 0.001 },
  })
  const from = (address: string) => {
    const client = dial()
    client.write(get('/', `X-From: ${address}\r\n`))
    return heard(client, /^HTTP\/1.1 (\d+)/)
  }
  const ofOneNetwork = ['2001:db8::1', '2001:db8::2', '2001:db8:0:0:ffff::3']

  expect([await from('a'), await from('a'), await from('a'), await from('b')]).toEqual(['200', '200', '429', '200'])
  const statuses: string[] = []
  for (const address of [...ofOneNetwork, '2001:db8:0:1::1']) statuses.push(await from(address))
  expect(statuses).toEqual(['200', '200', '429', '200'])
})

test.each([
  ['headers', 'GET / HTTP/1.1\r\nHost: x\r\nX-'],
  ['a body with a length', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nand no more'],
  ['a body in chunks', 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nand\r\n'],
])('%s that never end close the connection', async (_what, text) => {
  await open(
    (request, response) =>
      bodyOf(request).then(
        (body) => response.end(body),
        () => {},
      ),
    {
      times: { headersTimeout: 50, requestTimeout: 100, connectionsCheckingInterval: 10 },
    },
  )
  const client = dial()
  client.write(text)
  client.resume()

  await once(client, 'close')
})

test.each(['h2c', 'TLS/1.0', 'HTTP/3.0', 'websocket, h2c', 'websockets'])(
  'a request that offers an upgrade to %s is answered without it',
  async (protocol) => {
    await open(async (request, response) => response.end(`${request.method} <${await bodyOf(request)}>`))
    const offer = `Connection: Upgrade\r\nUpgrade: ${protocol}\r\n`
    const client = dial()
    client.write(get('/', offer))
    await heard(client, 'GET <>')
    client.write(`POST / HTTP/1.1\r\nHost: x\r\n${offer}Content-Length: 4\r\n\r\nbody`)

    await heard(client, 'POST <body>')
  },
)

test.each(['websocket', 'WebSocket'])('an upgrade to %s is an agent that comes', async (protocol) => {
  await open((_request, response) => response.end('not here'))
  const client = dial()
  client.write(get('/', `Connection: Upgrade\r\nUpgrade: ${protocol}\r\n`))

  await heard(client, 'upgraded')
})

async function open(requests: RequestListener, parts: Partial<ListenParts> = {}): Promise<void> {
  server = await startListening(
    { host: '127.0.0.1', port: 0 },
    { certificate: undefined, clientAddress: () => '127.0.0.1', log: pino({ level: 'silent' }), ...parts },
  )
  server.serve(requests, (_request, socket) => socket.end('upgraded'))
}

function dial(): Socket {
  const client = connect(server.port, '127.0.0.1')
  client.on('error', () => {})
  clients.push(client)
  return client
}

function get(path: string, headers = ''): string {
  return `GET ${path} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`
}

/** What the pattern's group has found, once it is there. */
async function heard(client: Socket, pattern: RegExp | string): Promise<string> {
  let text = ''
  for (;;) {
    const found = new RegExp(pattern).exec(text)
    if (found !== null) return found[1] ?? ''
    const [chunk] = await once(client, 'data')
    text += String(chunk)
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += String(chunk)
  return text
}
