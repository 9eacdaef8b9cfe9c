// The disk is full, another process holds the database, the file system is read-only: the server goes on to answer, says that
// nothing can be recorded and why, and records again when it can.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeRepository } from '../../support/git.ts'
import {
  drifted,
  enrollAgent,
  findingOf,
  newHostKey,
  reportOf,
  serviceOf,
  smallFleet,
  startTestServer,
  type TestServer,
} from '../kit.ts'
import { endProcess, spawnServer } from '../server-process.ts'

const usualTmp = process.env['TMPDIR']
let disk = ''

beforeEach(async () => {
  disk = await mkdtemp(join(tmpdir(), 'plumb-disk-'))
  mount('-t', 'tmpfs', '-o', 'size=48m,mode=1777', 'tmpfs', disk)
})
afterEach(async () => {
  execFileSync('umount', ['--lazy', disk])
  await rm(disk, { recursive: true, force: true })
})

describe('a server whose disk', () => {
  let server: TestServer

  beforeEach(async () => {
    process.env['TMPDIR'] = disk
    server = await startTestServer()
    restoreTmp()
  })
  afterEach(() => server.remove())

  test('is full answers, says so with the real error, and goes on when there is room', async () => {
    const agent = await enrollAgent(server, 'web-1')
    const line = await agent.connect()
    await line.report(drifted('web-1'))
    fill()

    line.send({ type: 'report', report: large() })
    await line.closed

    expect(await health()).toMatchObject({ status: 503, body: { ok: false, error: { code: 'disk-full' } } })
    for (const path of ['/hosts/web-1', '/', '/alerts', '/login', '/nowhere'])
      expect(await (await server.get(path)).text()).toContain('the file system of the data directory is full. Since')
    const signedIn = await signIn()
    expect(signedIn.status).toBe(503)
    expect(await signedIn.text()).toContain('<h1>Nothing can be recorded</h1>')
    const token = await server.post('/api/v1/enrolment-tokens')
    expect(token.status).toBe(503)
    expect(await token.json()).toMatchObject({
      error: { code: 'disk-full', remedy: expect.stringMatching('Make room') },
    })
    expect(server.log()).toContain('database or disk is full')
    expect(server.log()).not.toContain('cannot rollback')

    await rm(join(disk, 'filler'))
    const again = await agent.connect()
    await again.report(large())
    while ((await health()).status !== 200) await new Promise((resolve) => setTimeout(resolve, 100))
    expect(server.log()).toContain('writes to the database work again')
  })

  test('has a database that another process holds answers, and records when it lets go', async () => {
    const agent = await enrollAgent(server, 'web-1')
    const line = await agent.connect()
    const holder = await holdDatabase(server.data)

    line.send({ type: 'report', report: drifted('web-1') })
    await line.closed

    expect(await health()).toMatchObject({ status: 503, body: { error: { code: 'locked' } } })
    expect((await server.get('/')).status).toBe(200)
    expect(server.log()).toContain('database is locked')

    await endProcess(holder)
    const again = await agent.connect()
    await again.report(drifted('web-1'))
    while ((await health()).status !== 200) await new Promise((resolve) => setTimeout(resolve, 100))
  })

  function signIn(): Promise<Response> {
    const headers = { origin: new URL(server.url).origin }
    const body = new URLSearchParams({ token: server.operatorToken })
    return fetch(new URL('/login', server.url), { method: 'POST', headers, body, redirect: 'manual' })
  }

  async function health() {
    const response = await fetch(new URL('/healthz', server.url))
    return { status: response.status, body: await response.json() }
  }
})

describe('a server that starts', () => {
  test.each([
    ['on a read-only file system', () => mount('-o', 'remount,ro', disk), 'read-only'],
    ['on a full file system', fill, 'is full'],
  ])('%s says so and what to do', async (_where, spoil, words) => {
    const fleet = await makeRepository(smallFleet)
    spoil()
    const { child, said, log } = spawnServer([
      '--data',
      disk,
      '--repository',
      fleet.directory,
      '--listen',
      '127.0.0.1:0',
    ])

    await said('Nothing can be recorded')
    expect(log()).toContain(words)
    if (child.exitCode === null) await once(child, 'exit')

    expect(child.exitCode).toBe(1)
    expect(log()).not.toContain('    at ')
    await fleet.remove()
  })
})

test('a log that cannot be written does not end the server', async () => {
  const fleet = await makeRepository(smallFleet)
  const data = await mkdtemp(join(tmpdir(), 'plumb-data-'))
  const log = join(disk, 'log')
  const options = ['--data', data, '--repository', fleet.directory, '--listen', '127.0.0.1:0']
  const { child } = spawnServer(options, openSync(log, 'a'))
  const url = await textIn(log, /Plumbline is at (\S+)/)
  await textIn(log, /the repository is at a revision/)
  fill()

  const token = { token: 'plumb_none_of_this_server', host: 'web-1', publicKey: newHostKey().publicKey }
  for (let n = 0; n < 20; n += 1) {
    const refused = await fetch(`${url}api/v1/agents/enrol`, { method: 'POST', body: JSON.stringify(token) })
    expect(refused.status).toBe(403)
  }

  expect((await fetch(`${url}healthz`)).status).toBe(200)
  expect(child.exitCode).toBeNull()
  await endProcess(child)
  await fleet.remove()
  await rm(data, { recursive: true, force: true })
})

function mount(...args: readonly string[]): void {
  execFileSync('mount', [...args])
}

function restoreTmp(): void {
  if (usualTmp === undefined) delete process.env['TMPDIR']
  else process.env['TMPDIR'] = usualTmp
}

/** Until not one more byte fits. */
function fill(): void {
  const file = openSync(join(disk, 'filler'), 'a')
  for (const size of [1024 * 1024, 4096, 1]) {
    try {
      for (;;) writeSync(file, Buffer.alloc(size))
    } catch (thrown) {
      if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOSPC')) throw thrown
    }
  }
  closeSync(file)
}

/** More than the room that the write-ahead log has already. */
function large() {
  const findings = Array.from({ length: 1800 }, (_, n) => findingOf(`/etc/f${n}`, 'x'.repeat(1000)))
  return reportOf('web-1', { services: [serviceOf('nginx', { findings })] })
}

async function holdDatabase(data: string): Promise<ChildProcess> {
  const code = `
    import SqliteDatabase from 'better-sqlite3'
    new SqliteDatabase(${JSON.stringify(join(data, 'plumb.sqlite'))}).exec('begin exclusive')
    console.log('held')
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  return child
}

async function textIn(file: string, pattern: RegExp): Promise<string> {
  for (;;) {
    const match = pattern.exec(readFileSync(file, 'utf8'))
    if (match !== null) return match[1] ?? ''
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
