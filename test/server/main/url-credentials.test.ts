// The user and password of the addresses that the server is started with: one file of git's own holds those of its repository.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeRepository, type ServedRepository, serveRepository, type TestRepository } from '../../support/git.ts'
import { smallFleet } from '../kit.ts'

const password = 'CANARYpass'
const root = join(import.meta.dirname, '../../..')
let fleet: TestRepository
let served: ServedRepository
let data = ''
let said = ''
let server: ChildProcess | undefined

beforeEach(async () => {
  fleet = await makeRepository(smallFleet)
  served = await serveRepository(fleet, { username: 'bot', password })
  data = await mkdtemp(join(tmpdir(), 'plumb-credentials-'))
  said = ''
})

afterEach(async () => {
  await stop()
  await served.close()
  await fleet.remove()
  await rm(data, { recursive: true, force: true })
})

test('nothing that is served, logged or stored has them, while the repository answers and when it does not', async () => {
  const address = served.url.replace('http://', `http://bot:${password}@`)
  const given = ['--listen', '127.0.0.1:0', '--host-repository', `https://bot:${password}@forge.example/fleet.git`]
  start([...given, '--fetch-every', '1s', '--log-level', 'debug'], { PLUMB_REPOSITORY: address })
  await heard('the repository is at a revision')
  const url = /Plumbline is at (\S+)/.exec(await heard('Plumbline is at'))?.[1] ?? ''
  expect(await heard('hosts are not given the user and password')).toContain('https://forge.example/fleet.git')
  expect(await (await fetch(new URL('/install', url))).text()).toContain("--repo 'https://forge.example/fleet.git'")

  expect(await readFile(`/proc/${server?.pid}/cmdline`, 'utf8')).not.toContain(password)
  await expectNoPassword(url)
  await served.close()
  await heard('the repository cannot be fetched')
  await expectNoPassword(url)

  // The debug log has what was run and fetched, and none of it.
  expect(said).toContain('"msg":"child ended"')
  expect(said).toContain('"msg":"fetch ended"')
  expect(said).not.toContain(password)
  expect(await filesWithPassword()).toEqual(['repository/credentials'])
  expect((await stat(join(data, 'repository/credentials'))).mode & 0o777).toBe(0o600)
  served = await serveRepository(fleet)
})

test('credentials that are no longer given are no longer kept', async () => {
  start(['--listen', '127.0.0.1:0'], { PLUMB_REPOSITORY: served.url.replace('http://', `http://bot:${password}@`) })
  await heard('the repository is at a revision')
  await stop()
  expect(await filesWithPassword()).toEqual(['repository/credentials'])

  start(['--listen', '127.0.0.1:0'], { PLUMB_REPOSITORY: served.url })
  await heard('Plumbline is at')

  expect(await filesWithPassword()).toEqual([])
})

test.each([
  ['a public address', ['--public-url', `https://bot:${password}@plumb.example.org`]],
  ['a public address with a password alone', ['--public-url', `https://:${password}@plumb.example.org`]],
  ['a repository of no known scheme', ['--repository', `ext::https://bot:${password}@forge.example/x`]],
  ['an argument too many', [`https://bot:${password}@forge.example/x`]],
  ['an unknown option', [`--repositori=https://bot:${password}@forge.example/x`]],
])('a start that fails does not repeat them: %s', async (_what, options) => {
  start(options, { PLUMB_REPOSITORY: fleet.directory })
  const [code] = (await once(server as ChildProcess, 'close')) as [number | null]

  expect(code).toBe(1)
  expect(said).toMatch(/error:|plumb-server:/)
  expect(said).not.toContain(password)
})

async function expectNoPassword(url: string): Promise<void> {
  const token = (await readFile(join(data, 'operator-token'), 'utf8')).trim()
  const asked = ['/', '/alerts', '/enroll', '/install', '/artifacts/pin', '/healthz', '/hosts/web-1', '/services/nginx']
  const api = ['fleet', 'alerts', 'holds', 'hosts/web-1', 'services/nginx', 'why?path=/etc/nginx/nginx.conf']
  for (const path of [...asked, ...api.map((name) => `/api/v1/${name}`)]) {
    const answer = await fetch(new URL(path, url), { headers: { authorization: `Bearer ${token}` } })
    expect(answer.status, path).toBe(200)
    expect(await answer.text(), path).not.toContain(password)
  }
}

function start(options: readonly string[], environment: NodeJS.ProcessEnv): void {
  said = ''
  const args = ['--import', 'tsx', join(root, 'server/main.ts'), '--data', data, ...options]
  server = spawn(process.execPath, args, { cwd: root, env: { ...process.env, ...environment } })
  for (const stream of [server.stdout, server.stderr])
    stream?.on('data', (chunk: Buffer) => {
      said += chunk.toString('utf8')
      server?.emit('said')
    })
}

async function heard(text: string): Promise<string> {
  while (!said.includes(text)) {
    if (server === undefined || server.exitCode !== null) throw new Error(`it ended without saying "${text}":\n${said}`)
    await once(server, 'said')
  }
  return said
}

async function stop(): Promise<void> {
  if (server === undefined || server.exitCode !== null) return
  server.kill('SIGTERM')
  await once(server, 'close')
}

async function filesWithPassword(): Promise<readonly string[]> {
  const found: string[] = []
  for (const entry of await readdir(data, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isFile() && (await readFile(path)).includes(password)) found.push(path.slice(data.length + 1))
  }
  return found
}
