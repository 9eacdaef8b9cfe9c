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

test.each([
  ['invalid_payload', 'invalid_payload'],
  ['<html><head><style>p { color: red }</style></head><body>\n<h1>400 Bad Request</h1>\n', '400 Bad Request'],
  ['{"message": "line\u202eends\u001b[2J"}', '{"message": "line‹U+202E›ends␛[2J"}'],
  ['', ''],
  ['é'.repeat(5000), `${'é'.repeat(200)}...`],
  ['no POST /services/T0aB/s3cr%20t?token=abcd at HOST', 'no POST /[...]/[...]/[...]?[...]=[...] at [...]'],
  ['no "s3cr t" for "me1234"', 'no "[...]" for "[...]"'],
])('a refusal has the start of the answer %j, without the address', async (answer, shown) => {
  let host = ''
  const url = await listen((_request, response) => response.writeHead(422).end(answer.replace('HOST', host)))
  host = url.host
  const asked = new URL(`/services/T0aB/s3cr%20t?token=abcd`, url)
  asked.username = 'me1234'

  expect(await post(asked, 5000)).toEqual({ kind: 'rejected', reason: 'the receiver answered 422', answer: shown })
})

test('a part of the address that is read by half is not shown', async () => {
  let pad = 0
  const url = await listen((_request, response) => response.writeHead(400).end(`${' '.repeat(pad)}s3cr3tpart rest`))
  for (pad = 4080; pad <= 4100; pad += 1) {
    const outcome = await post(new URL('/s3cr3tpart', url), 5000)
    expect(outcome.kind === 'rejected' && outcome.answer).not.toContain('s3')
  }
})

test('a refused connection is reported by its code, without the address', async () => {
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
