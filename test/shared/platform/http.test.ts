// One client against real servers: what it gives up, and how it says so.
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import {
  BodyTooLarge,
  type HttpRequest,
  NoAnswerInTime,
  sendRequest,
  wholeBody,
} from '../../../shared/platform/http.ts'
import { ForbiddenAddress, isOwnAddress, ownAddressesRefused } from '../../../shared/platform/own-addresses.ts'

let server: Server | undefined

afterEach(() => {
  server?.closeAllConnections()
  server?.close()
})

test('a body is sent with its length, and the answer comes with status and headers', async () => {
  const url = await listen((request, response) => {
    request.setEncoding('utf8').once('data', (text: string) => {
      response.writeHead(201, { 'x-length': request.headers['content-length'] }).end(`${request.method} ${text}`)
    })
  })

  const response = await send(url, { body: 'größer' })

  expect(response).toMatchObject({ status: 201, headers: { 'x-length': '8' } })
  expect((await wholeBody(response, 100)).toString('utf8')).toBe('POST größer')
})

test('silence before the answer, and in the middle of its body, is no answer in time', async () => {
  const url = await listen((request, response) => {
    if (request.url === '/begins') response.writeHead(200).write('begins')
  })

  await expect(send(url, { idleMs: 100 })).rejects.toBeInstanceOf(NoAnswerInTime)
  const begun = await send(new URL('/begins', url), { idleMs: 100 })
  await expect(wholeBody(begun, 100)).rejects.toBeInstanceOf(NoAnswerInTime)
})

test('the deadline counts for the whole answer, and a stopped request ends as at its deadline', async () => {
  const url = await listen((_request, response) => {
    response.writeHead(200)
    const timer = setInterval(() => response.write('.'), 10)
    response.once('close', () => clearInterval(timer))
  })
  const stop = new AbortController()

  const trickling = await send(url, { deadlineMs: 300 })
  await expect(wholeBody(trickling, 1_000_000)).rejects.toBeInstanceOf(NoAnswerInTime)
  const stopped = await send(url, { stop: stop.signal })
  stop.abort()
  await expect(wholeBody(stopped, 1_000_000)).rejects.toBeInstanceOf(NoAnswerInTime)
})

test('a body over its limit is not read on, and its connection is closed', async () => {
  let isClosed = false
  const url = await listen((_request, response) => {
    response.once('close', () => {
      isClosed = true
    })
    response.end('x'.repeat(5_000_000))
  })

  await expect(wholeBody(await send(url), 1_000_000)).rejects.toBeInstanceOf(BodyTooLarge)
  await expect.poll(() => isClosed).toBe(true)
})

test('an answer that breaks off is an error, not a short body', async () => {
  const url = await listen((_request, response) => {
    response.writeHead(200, { 'content-length': '100' }).write('short')
    setImmediate(() => response.destroy())
  })

  await expect(wholeBody(await send(url), 1000)).rejects.toMatchObject({ code: 'ECONNRESET' })
})

test('a name of this machine is refused before anything is sent', async () => {
  let requests = 0
  const url = await listen((_request, response) => {
    requests += 1
    response.end()
  })
  url.hostname = 'localhost'

  await expect(send(url, { lookup: ownAddressesRefused })).rejects.toBeInstanceOf(ForbiddenAddress)
  expect(requests).toBe(0)
  expect((await send(url)).status).toBe(200)
})

test.each([
  ['127.0.0.1', true],
  ['169.254.169.254', true],
  ['::1', true],
  ['fe80::1', true],
  ['::ffff:127.0.0.1', true],
  ['192.0.2.1', false],
  ['2001:db8::1', false],
  ['localhost', false],
])('%s is an address of this machine, or link-local: %s', (address, own) => {
  expect(isOwnAddress(address)).toBe(own)
})

function send(url: URL, more: Partial<HttpRequest> = {}) {
  return sendRequest({ url, deadlineMs: 20_000, ...more })
}

async function listen(answer: Parameters<typeof createServer>[1]): Promise<URL> {
  const listening = createServer(answer)
  server = listening
  await new Promise<void>((resolve) => listening.listen(0, resolve))
  return new URL(`http://127.0.0.1:${(listening.address() as AddressInfo).port}/`)
}
