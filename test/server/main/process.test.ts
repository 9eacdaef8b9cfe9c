import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeRepository, type TestRepository } from '../../support/git.ts'
import { smallFleet } from '../kit.ts'
import { endProcess, spawnServer } from '../server-process.ts'

let fleet: TestRepository
let data = ''
const started: ChildProcess[] = []

beforeEach(async () => {
  fleet = await makeRepository(smallFleet)
  data = await mkdtemp(join(tmpdir(), 'plumb-process-'))
})

afterEach(async () => {
  for (const child of started.splice(0)) await endProcess(child)
  await fleet.remove()
  await rm(data, { recursive: true, force: true })
})

test('it says where it is, and stops cleanly when it is told to', async () => {
  const server = serve('--listen', '127.0.0.1:0')
  const url = /Plumbline is at (http:\S+)/.exec(await said(server, 'Plumbline is at'))?.[1] ?? ''
  expect((await fetch(new URL('/healthz', url))).status).toBe(200)
  const events = await fetch(new URL('/api/v1/events', url))

  server.kill('SIGTERM')

  expect(await once(server, 'exit')).toEqual([0, null])
  await events.body?.cancel().catch(() => {})
  expect((await readdir(data)).filter((name) => /-(?:wal|shm|journal)$/.test(name))).toEqual([])
})

test('a second server on the same data says who has it, and touches nothing', async () => {
  const first = serve('--listen', '127.0.0.1:0')
  await said(first, 'Plumbline is at')

  const second = serve('--listen', '127.0.0.1:0')

  expect(await said(second, 'in use by another Plumbline server')).toContain('--data')
  expect(await once(second, 'exit')).toEqual([1, null])
})

test('a server that was killed starts again where it was', async () => {
  const first = serve('--listen', '127.0.0.1:0')
  await said(first, 'Plumbline is at')
  first.kill('SIGKILL')
  await once(first, 'exit')

  await said(serve('--listen', '127.0.0.1:0'), 'Plumbline is at')
})

test('a port that is taken is said with the way out', async () => {
  const first = serve('--listen', '127.0.0.1:0')
  const url = new URL(/Plumbline is at (http:\S+)/.exec(await said(first, 'Plumbline is at'))?.[1] ?? '')

  const second = serve('--listen', url.host, '--data', join(data, 'another'))

  expect(await said(second, 'cannot listen')).toContain('choose another with --listen')
})

test('a damaged database is said loudly, kept, and an alert until a person has looked', async () => {
  const first = serve('--listen', '127.0.0.1:0')
  await said(first, 'Plumbline is at')
  first.kill('SIGTERM')
  await once(first, 'exit')
  await rm(join(data, 'plumb.sqlite'))
  await appendFile(join(data, 'plumb.sqlite'), 'this is not a database')

  const log = await said(serve('--listen', '127.0.0.1:0'), 'alert opened')

  expect(log).toContain('THE DATABASE WAS DAMAGED')
  expect(log).toContain('damaged and has been quarantined')
})

test.each([
  [['--tls-cert', 'cert.pem'], 'go together'],
  [['--public-url', 'https://plumb.example.org/below'], 'no path'],
  [['--listen', '7420'], 'ADDRESS:PORT'],
  [['--repository', 'ext::sh -c id'], 'not the address of a repository'],
])('%j is refused with a reason', async (options, reason) => {
  const server = serve(...options)

  await said(server, reason)
  expect((await once(server, 'exit'))[0]).toBe(1)
})

function serve(...options: readonly string[]): ChildProcess {
  const { child } = spawnServer(['--data', data, '--repository', fleet.directory, ...options])
  started.push(child)
  return child
}

/** All that was said, once `text` was among it. */
function said(child: ChildProcess, text: string): Promise<string> {
  let heard = ''
  return new Promise((resolve, reject) => {
    const hear = (chunk: Buffer) => {
      heard += chunk.toString('utf8')
      if (heard.includes(text)) resolve(heard)
    }
    child.stdout?.on('data', hear)
    child.stderr?.on('data', hear)
    child.once('close', () => reject(new Error(`it ended without saying "${text}":\n${heard}`)))
  })
}
