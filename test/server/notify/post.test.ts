import { createServer, type Server } from 'node:http'
import { afterEach, expect, test } from 'vitest'
import { postJson } from '../../../server/notify/post.ts'

let server: Server | undefined

afterEach(() => {
  server?.closeAllConnections()
  server?.close()
})

test('a receiver that never answers is left at the deadline', async () => {
  const url = await listen(() => {})

  expect(await post(url, 200)).toEqual({ kind: 'failed', reason: 'no answer in time' })
})

test('an answer that never ends is not read to its end', async () => {
  let written = 0
  const url = await listen((_request, response) => {
    response.writeHead(200)
    const more = () => {
      while (!response.destroyed && response.write('x'.repeat(65_536))) written += 65_536
    }
    response.on('drain', more)
    response.on('error', () => {})
    more()
  })

  expect(await post(url, 5000)).toEqual({ kind: 'delivered' })
  expect(written).toBeLessThan(32 * 1024 * 1024)
})

test('a body that trickles in for ever ends with the deadline', async () => {
  const url = await listen((_request, response) => {
    response.writeHead(200)
    const timer = setInterval(() => response.write('.'), 10)
    response.on('close', () => clearInterval(timer))
  })

  expect(await post(url, 300)).toEqual({ kind: 'delivered' })
})

test('a port where nothing listens is told by its code, without the address', async () => {
  const url = await listen(() => {})
  await new Promise((resolve) => server?.close(resolve))

  expect(await post(url, 2000)).toEqual({ kind: 'failed', reason: 'ECONNREFUSED' })
})

function post(url: URL, deadlineMs: number) {
  return postJson(url, { hello: 'there' }, { deadlineMs, anywhere: true })
}

async function listen(answer: Parameters<typeof createServer>[1]): Promise<URL> {
  const listening = createServer(answer)
  server = listening
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve))
  const address = listening.address()
  return new URL(`http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/`)
}
