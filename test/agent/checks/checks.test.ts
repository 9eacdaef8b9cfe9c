import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { runCheck } from '../../../agent/host/checks.ts'
import { pollUntil } from '../../../agent/host/poll.ts'
import { createRun } from '../../../shared/platform/run.ts'

const run = createRun()
const servers: { close(): void }[] = []

afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

test.each([200, 204, 301, 302])('an http check holds on %d', async (status) => {
  const url = await serve((_, response) => response.writeHead(status, { location: '/elsewhere' }).end('x'))
  await expect(runCheck({ kind: 'http', url }, run)).resolves.toBeUndefined()
})

test('an http check waits for a server that is still starting', async () => {
  let asked = 0
  const url = await serve((_, response) => response.writeHead(++asked < 3 ? 503 : 200).end())
  await runCheck({ kind: 'http', url }, run)
  expect(asked).toBe(3)
})

test('an http check that does not hold says what it saw last', async () => {
  const url = await serve((_, response) => response.writeHead(502).end())
  await expect(runCheck({ kind: 'http', url }, run, { withinSeconds: 0.6 })).rejects.toMatchObject({
    code: 'check-failed',
    message: `The check http ${url} did not hold within 0.6 s: it answered 502`,
  })
})

test('an endless answer is not read', async () => {
  const url = await serve((_, response) => {
    response.writeHead(200)
    const flood = () => {
      while (!response.destroyed && response.write('x'.repeat(65_536)));
    }
    response.on('drain', flood)
    flood()
  })
  await runCheck({ kind: 'http', url }, run)
})

test('a port that nobody listens on fails the check with the reason', async () => {
  const url = await serve(() => {})
  servers.pop()?.close()
  await expect(runCheck({ kind: 'http', url }, run, { withinSeconds: 0 })).rejects.toThrow(/ECONNREFUSED/)
  const address = new URL(url).host
  await expect(runCheck({ kind: 'tcp', address }, run, { withinSeconds: 0 })).rejects.toThrow(/ECONNREFUSED/)
})

test('a tcp check holds when something accepts', async () => {
  const server = createTcpServer((socket) => socket.destroy()).listen(0, '127.0.0.1')
  servers.push(server)
  await new Promise((resolve) => server.once('listening', resolve))
  await runCheck({ kind: 'tcp', address: `127.0.0.1:${portOf(server)}` }, run)
})

test('a tcp check of something that is no address says so', async () => {
  await expect(runCheck({ kind: 'tcp', address: 'nonsense' }, run, { withinSeconds: 0 })).rejects.toThrow(
    'nonsense is not HOST:PORT',
  )
})

test('a command is tried until it succeeds', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'plumb-check-'))
  try {
    const command = `[ -e ${directory}/second ] || { [ -e ${directory}/first ] && touch ${directory}/second; touch ${directory}/first; exit 1; }`
    await runCheck({ kind: 'run', command }, run)
    expect(existsSync(join(directory, 'second'))).toBe(true)
  } finally {
    rmSync(directory, { recursive: true })
  }
})

test('a failing command fails the check with its exit code and output', async () => {
  const check = { kind: 'run', command: 'echo no such database >&2; exit 4' } as const
  await expect(runCheck(check, run, { withinSeconds: 0 })).rejects.toThrow(/sh exited with 4:\nno such database/)
})

test('waiting ends with the first answer, and without one when the time is over', async () => {
  let looks = 0
  expect(await pollUntil(async () => (++looks === 3 ? 'seen' : undefined), { seconds: 5, pauseMs: 1 })).toBe('seen')
  expect(await pollUntil(async () => undefined, { seconds: 0, pauseMs: 10 })).toBeUndefined()
})

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  servers.push(server)
  server.unref()
  await new Promise((resolve) => server.once('listening', resolve))
  return `http://127.0.0.1:${portOf(server)}/`
}

function portOf(server: Pick<Server, 'address'>): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server does not listen')
  return address.port
}
