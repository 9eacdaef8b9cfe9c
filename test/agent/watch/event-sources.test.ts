// The sources of events, each of whose streams ends in every way it can: the process lives on and listens again.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { listenToDocker, listenToPodman } from '../../../agent/watch/container-events.ts'
import { type Listening, Source } from '../../../agent/watch/source.ts'
import { listenToUnits } from '../../../agent/watch/unit-events.ts'

const firstPauseMs = 5
const patience = { timeout: 120_000 }
let directory: string
let socketPath: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'plumb-sources-'))
  socketPath = join(directory, 'socket')
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

test.each<[string, (socket: Socket) => void]>([
  ['breaks off between two events', (socket) => socket.write(chunked('{"Action":"start"}\n'), () => socket.destroy())],
  ['breaks off within an event', (socket) => socket.write(chunked('{"Act'), () => socket.destroy())],
  ['ends in order', (socket) => socket.end(`${chunked('{"Action":"start"}\n')}0\r\n\r\n`)],
  ['is reset before the headers', (socket) => socket.destroy()],
  ['is no HTTP', (socket) => socket.end('no such thing\r\n\r\n')],
  ['is refused by docker', (socket) => socket.end('HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\n{}')],
])("docker's event stream %s: it is listened to again, and what was missed is looked for", async (_, end) => {
  const [changed, missed] = [vi.fn(), vi.fn()]
  let isFirst = true
  await serve((socket) => {
    socket.once('data', () => {
      if (isFirst) return end(socket)
      changed.mockClear()
      socket.write(chunked('{"Action":"die"}\n'))
    })
    socket.once('data', () => {
      isFirst = false
    })
  })
  const source = new Source((ended) => listenToDocker(changed, ended, socketPath), missed, firstPauseMs)
  onTestFinished(() => source.close())

  source.follow(true)

  await vi.waitFor(() => expect(missed).toHaveBeenCalledOnce(), patience)
  await vi.waitFor(() => expect(changed).toHaveBeenCalled(), patience)
})

test('a docker that is not there is asked again and again until it is', async () => {
  const [changed, missed] = [vi.fn(), vi.fn()]
  const source = new Source((ended) => listenToDocker(changed, ended, socketPath), missed, firstPauseMs)
  onTestFinished(() => source.close())

  source.follow(true)
  await vi.waitFor(() => expect(missed.mock.calls.length).toBeGreaterThan(2), patience)
  const docker = createHttpServer((_, response) => void response.write('{"Action":"start"}\n'))
  onTestFinished(() => {
    docker.closeAllConnections()
    docker.close()
  })
  docker.listen(socketPath)

  await vi.waitFor(() => expect(changed).toHaveBeenCalled(), patience)
})

test.each([
  ['ends', 'exit 0'],
  ['fails', 'exit 125'],
  ['is killed', 'kill -KILL $$'],
  ['closes its output', 'exec >&-; exec sleep 0.1'],
])('`podman events` that %s is started again', async (_, how) => {
  programs({ podman: `echo '{"Status":"start"}'\n${how}` })
  const [changed, missed] = [vi.fn(), vi.fn()]
  const source = new Source((ended) => listenToPodman(changed, ended, directory), missed, firstPauseMs)
  onTestFinished(() => source.close())

  source.follow(true)

  await vi.waitFor(() => expect(missed.mock.calls.length).toBeGreaterThan(1), patience)
  expect(changed).toHaveBeenCalled()
})

test('a podman that is not installed is looked for again', async () => {
  programs({})
  const missed = vi.fn()
  const source = new Source((ended) => listenToPodman(vi.fn(), ended, directory), missed, firstPauseMs)
  onTestFinished(() => source.close())

  source.follow(true)

  await vi.waitFor(() => expect(missed.mock.calls.length).toBeGreaterThan(1), patience)
})

test("systemd's connection may be cut at any byte, as by a daemon-reexec: each time it is told once that it ended", async () => {
  let cut = 0
  await serve((socket) => answerAsSystemd(socket, () => socket.end(unitChanged.subarray(0, cut))))
  for (; cut <= unitChanged.length; cut += 1) {
    const changed = vi.fn()
    const ended = Promise.withResolvers<void>()
    const told = vi.fn(ended.resolve)
    listenToUnits(() => new Set(['web.service']), { changed, ended: told }, socketPath)
    await ended.promise
    expect(told).toHaveBeenCalledOnce()
    if (cut === unitChanged.length) expect(changed).toHaveBeenCalledOnce()
  }
})

test.each<[string, (socket: Socket) => void]>([
  ['resets the connection', (socket) => socket.destroy()],
  ['refuses who asks', (socket) => socket.write('REJECTED\r\nREJECTED\r\nREJECTED\r\n')],
  ['says what is no message', (socket) => answerAsSystemd(socket, () => socket.write(Buffer.alloc(64, 0xff)))],
  [
    'sends a message with a broken header',
    (socket) => answerAsSystemd(socket, () => socket.write(Buffer.from(unitChanged).fill(0xee, 16, 40))),
  ],
])('a systemd that %s ends no process; the connection is made again', async (_, answer) => {
  let isFirst = true
  await serve((socket) => {
    if (isFirst) answer(socket)
    else answerAsSystemd(socket, () => socket.write(unitChanged))
    isFirst = false
    // What is left half said is never answered: as a systemd that goes away.
    setTimeout(() => socket.destroy(), 500)
  })
  const [changed, missed] = [vi.fn(), vi.fn()]
  const names = () => new Set(['web.service'])
  const source = new Source((ended) => listenToUnits(names, { changed, ended }, socketPath), missed, firstPauseMs)
  onTestFinished(() => source.close())

  source.follow(true)

  await vi.waitFor(() => expect(changed).toHaveBeenCalled(), patience)
  expect(missed).toHaveBeenCalled()
})

test('what is no longer needed is not listened to again when its stream ends by that', async () => {
  const docker = await serve((socket) => socket.once('data', () => socket.write(chunked('{"Action":"start"}\n'))))
  const [changed, missed] = [vi.fn(), vi.fn()]
  const listen = vi.fn((ended: () => void) => listenToDocker(changed, ended, socketPath))
  const source = new Source(listen, missed, firstPauseMs)
  source.follow(true)
  await vi.waitFor(() => expect(changed).toHaveBeenCalled(), patience)

  source.follow(false)
  await vi.waitFor(() => expect(docker.open()).toBe(0), patience)
  await new Promise((resolve) => setTimeout(resolve, firstPauseMs * 10))

  expect(listen).toHaveBeenCalledOnce()
  expect(missed).not.toHaveBeenCalled()
})

test('the pause before it listens again doubles up to a minute, also when listening throws', async () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const at: number[] = []
  const source = new Source((): Listening => {
    at.push(Date.now())
    throw new Error('EMFILE')
  }, vi.fn())
  onTestFinished(() => source.close())

  source.follow(true)
  await vi.advanceTimersByTimeAsync(300_000)

  const pauses = at.slice(1).map((time, index) => (time - (at[index] ?? 0)) / 1000)
  expect(pauses.slice(0, 9)).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60])
})

/** One chunk of an answer whose headers go before it. */
function chunked(text: string): string {
  const headers = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n'
  return `${headers}${text.length.toString(16)}\r\n${text}\r\n`
}

async function serve(connected: (socket: Socket) => void): Promise<{ readonly open: () => number }> {
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
    connected(socket)
  })
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  await new Promise<void>((resolve) => server.listen(socketPath, resolve))
  return { open: () => sockets.size }
}

/** The only programs that are found by name in `directory`. */
function programs(scripts: Readonly<Record<string, string>>): void {
  for (const [name, script] of Object.entries(scripts)) {
    writeFileSync(join(directory, name), `#!/bin/sh\nPATH=/usr/bin:/bin\n${script}\n`)
    chmodSync(join(directory, name), 0o755)
  }
}

/** The handshake of the private socket, and an answer to the first call. */
function answerAsSystemd(socket: Socket, called: () => void): void {
  let heard = ''
  socket.on('data', (chunk: Buffer) => {
    const before = heard
    heard += chunk.toString('latin1')
    if (!before.includes('AUTH EXTERNAL') && heard.includes('AUTH EXTERNAL')) socket.write('OK 0123456789abcdef\r\n')
    if (!before.includes('Subscribe') && heard.includes('Subscribe')) called()
  })
}

/** PropertiesChanged of web.service, as the D-Bus specification lays it out: little endian, a signal without a body. */
const unitChanged = signalOf([
  [1, 'o', '/org/freedesktop/systemd1/unit/web_2eservice'],
  [2, 's', 'org.freedesktop.DBus.Properties'],
  [3, 's', 'PropertiesChanged'],
])

function signalOf(fields: readonly (readonly [code: number, type: string, value: string])[]): Buffer {
  let body = Buffer.alloc(0)
  for (const [code, type, value] of fields) {
    const aligned = Buffer.alloc(Math.ceil(body.length / 8) * 8)
    body.copy(aligned)
    const length = Buffer.alloc(4)
    length.writeUInt32LE(value.length)
    body = Buffer.concat([aligned, Buffer.from([code, 1, type.charCodeAt(0), 0]), length, Buffer.from(`${value}\0`)])
  }
  const header = Buffer.alloc(16)
  header.set([0x6c, 4, 0, 1])
  header.writeUInt32LE(1, 8)
  header.writeUInt32LE(body.length, 12)
  return Buffer.concat([header, body, Buffer.alloc(Math.ceil(body.length / 8) * 8 - body.length)])
}
