import { execFile } from 'node:child_process'
import { generateKeyPairSync, sign } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { bounds } from '../../../server/allowance/bounds.ts'
import { mirrorPath, verifyMirrorPassword } from '../../../server/repository/mirror.ts'
import { hostNameSchema } from '../../../shared/names.ts'
import { mirrorText } from '../../../shared/protocol.ts'
import { makeRepository, type ServedRepository, serveRepository, type TestRepository } from '../../support/git.ts'
import { mirrorRoutes } from '../../support/mirror.ts'

let fleet: TestRepository
let served: ServedRepository
let directory = ''

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'plumb-mirror-'))
  fleet = await makeRepository({ 'plumb.yaml': 'version: 1\n' })
  served = await serveRepository(fleet, { username: 'web-1', password: 'right' })
})

afterEach(async () => {
  await served.close()
  await fleet.remove()
  await rm(directory, { recursive: true, force: true })
})

test('git clones from it and fetches what came later', async () => {
  await git('clone', '--quiet', withPassword('right'), directory)
  for (let n = 0; n < 40; n += 1) await fleet.commit({ 'plumb.yaml': `${n}` })
  await git('-C', directory, 'pull', '--quiet')

  expect(await readFile(join(directory, 'plumb.yaml'), 'utf8')).toBe('39')
})

test('a wrong password is 401 and names the way to sign in', async () => {
  const response = await fetch(`${served.url}/info/refs?service=git-upload-pack`, { headers: basic('web-1:wrong') })

  expect(response.status).toBe(401)
  expect(response.headers.get('www-authenticate')).toContain('Basic')
})

test.each([
  ['GET', '/info/refs?service=git-receive-pack'],
  ['POST', '/git-receive-pack'],
  ['GET', '/info/refs'],
  ['GET', '/HEAD'],
  ['GET', '/config'],
  ['GET', '/objects/info/packs'],
  ['GET', '/../fleet.git/config'],
  ['PUT', '/git-upload-pack'],
])('%s %s is not served', async (method, path) => {
  const response = await fetch(`${served.url}${path}`, { method, headers: basic('web-1:right') })

  expect(response.status).toBe(404)
})

test('a push is refused', async () => {
  await git('clone', '--quiet', withPassword('right'), directory)
  await expect(git('-C', directory, 'push', '--quiet', 'origin', 'HEAD:refs/heads/mine')).rejects.toThrow()
  expect(await fleet.git('branch', '--list', 'mine')).toBe('')
})

test('a request compressed by gzip is understood, in version 2 of the protocol', async () => {
  const body = gzipSync('0014command=ls-refs\n00010009peel\n0000')
  const response = await upload(body, { 'content-encoding': 'gzip' })

  expect(await response.text()).toContain(`${await fleet.head()} refs/heads/main`)
})

test.each(['service=git-upload-pack&service=git-receive-pack', 'service=git-upload-pack&a=b;service=git-receive-pack'])(
  '?%s is a fetch',
  async (query) => {
    const response = await fetch(`${served.url}/info/refs?${query}`, { headers: basic('web-1:right') })

    expect(response.headers.get('content-type')).toBe('application/x-git-upload-pack-advertisement')
    expect(await response.text()).not.toContain('receive-pack')
  },
)

test('bodies that never come hold no turn', async () => {
  const held = Array.from({ length: 2 * bounds.allMirrorTurns.limit }, () => {
    const headers = { ...basic('web-1:right'), 'content-length': '4000' }
    const call = request(`${served.url}/git-upload-pack`, { method: 'POST', headers })
    call.on('error', () => {})
    call.write('0032')
    return call
  })
  await vi.waitFor(() => expect(served.requests).toHaveLength(held.length))

  await git('clone', '--quiet', withPassword('right'), directory)
  for (const call of held) call.destroy()
})

test('bodies that are received or wait have a share of a host', async () => {
  const clone = { gitDirectory: fleet.gitDirectory, configuration: '/dev/null' }
  const routes = mirrorRoutes({ clone, authorize: (asking) => asking.headers.get('x-host') ?? undefined })
  const post = (host: string, body: string | ReadableStream) =>
    routes.fetch(
      new Request(`http://mirror${mirrorPath}/git-upload-pack`, {
        ...{ method: 'POST', body, duplex: 'half' },
        headers: { 'x-host': host, 'content-type': 'application/x-git-upload-pack-request' },
      }),
    )
  const unfinished = () => {
    const read = Promise.withResolvers<void>()
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(new Uint8Array(bounds.mirrorBody.limit)),
      // Asked for more: what there was is counted.
      pull: () => read.resolve(),
    })
    return { body, read: read.promise }
  }
  for (let held = 0; held < bounds.mirrorBodyBytes.limit; held += bounds.mirrorBody.limit) {
    const { body, read } = unfinished()
    void post('rogue', body)
    await read
  }

  expect((await post('rogue', '0000')).status).toBe(503)
  expect((await post('good', '0000')).status).toBe(200)
})

test('a reader that takes nothing loses its turn', async () => {
  const large = Buffer.from(Array.from({ length: 3_000_000 }, () => Math.floor(Math.random() * 256)))
  const tip = await fleet.commit({ large })
  const clone = { gitDirectory: fleet.gitDirectory, configuration: '/dev/null' }
  const routes = mirrorRoutes({ clone, authorize: () => `${crypto.randomUUID()}`, readsWithinSeconds: 0.2 })
  const fetchAll = async () => {
    const headers = { 'git-protocol': 'version=2', 'content-type': 'application/x-git-upload-pack-request' }
    const body = ['0012command=fetch\n', '0001', line(`want ${tip}\n`), line('done\n'), '0000'].join('')
    return routes.fetch(new Request(`http://mirror${mirrorPath}/git-upload-pack`, { method: 'POST', headers, body }))
  }
  const idle = await Promise.all(Array.from({ length: bounds.allMirrorTurns.limit }, fetchAll))

  const whole = await (await fetchAll()).arrayBuffer()
  expect(whole.byteLength).toBeGreaterThan(large.length)
  // Not the half of it as if it were all.
  for (const answer of idle) await expect(answer.arrayBuffer()).rejects.toBeDefined()
})

test('a body beyond the limit is refused, also one that does not say its length', async () => {
  const prefixes = line('ref-prefix refs/heads/main\n').repeat(200_000)
  const body = Buffer.from(`0014command=ls-refs\n0001${prefixes}0000`)
  const said = await upload(body)
  const unsaid = upload(new Blob([body]).stream(), {}).then((response) =>
    response.ok ? response.text() : Promise.reject(response),
  )

  expect(said.status).toBe(413)
  await expect(unsaid).rejects.toBeDefined()
})

test('a client that goes away in the middle leaves no git behind', async () => {
  const large = Buffer.from(Array.from({ length: 3_000_000 }, () => Math.floor(Math.random() * 256)))
  const tip = await fleet.commit({ large })
  const want = `want ${tip} no-progress\n`
  const lines = ['0012command=fetch\n', '0001', line(want.replace(' no-progress', '')), line('done\n'), '0000']
  const running = await gitProcesses()
  await new Promise<void>((resolve, reject) => {
    const call = request(
      `${served.url}/git-upload-pack`,
      {
        method: 'POST',
        headers: {
          ...basic('web-1:right'),
          'git-protocol': 'version=2',
          'content-type': 'application/x-git-upload-pack-request',
        },
      },
      (response) => response.once('data', () => resolve(void response.destroy())),
    )
    call.on('error', reject)
    call.end(lines.join(''))
  })

  await vi.waitFor(async () => expect(await gitProcesses()).toEqual(running), { timeout: 120_000 })
})

test('more at once than children allowed all get their answer', async () => {
  const answers = await Promise.all(
    Array.from({ length: 40 }, () =>
      fetch(`${served.url}/info/refs?service=git-upload-pack`, { headers: basic('web-1:right') }),
    ),
  )
  for (const answer of answers) expect(await answer.text()).toContain('git-upload-pack')
})

test("a host's password is its own signature of a recent moment", () => {
  const host = hostNameSchema.parse('web-1')
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const key = publicKey.export({ format: 'der', type: 'spki' }).toString('base64')
  const password = (at: number, name = host) =>
    `${at}.${sign(null, Buffer.from(mirrorText(name, at)), privateKey).toString('base64url')}`
  const other = generateKeyPairSync('ed25519').publicKey.export({ format: 'der', type: 'spki' }).toString('base64')

  expect(verifyMirrorPassword(key, host, password(1000), 1000)).toBe(true)
  expect(verifyMirrorPassword(key, host, password(1000), 1300)).toBe(true)
  expect(verifyMirrorPassword(key, host, password(1000), 1301)).toBe(false)
  expect(verifyMirrorPassword(key, host, password(1301), 1000)).toBe(false)
  expect(verifyMirrorPassword(key, hostNameSchema.parse('db-1'), password(1000), 1000)).toBe(false)
  expect(verifyMirrorPassword(other, host, password(1000), 1000)).toBe(false)
  expect(verifyMirrorPassword(key, host, password(1000).replace('1000', '1001'), 1001)).toBe(false)
  expect(verifyMirrorPassword('not a key', host, password(1000), 1000)).toBe(false)
  expect(verifyMirrorPassword(key, host, '', 1000)).toBe(false)
})

function upload(
  body: Uint8Array<ArrayBuffer> | ReadableStream,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(`${served.url}/git-upload-pack`, {
    method: 'POST',
    body,
    headers: {
      ...basic('web-1:right'),
      'content-type': 'application/x-git-upload-pack-request',
      'git-protocol': 'version=2',
      ...headers,
    },
  })
}

function line(text: string): string {
  return (text.length + 4).toString(16).padStart(4, '0') + text
}

function withPassword(password: string): string {
  return served.url.replace('http://', `http://web-1:${password}@`)
}

function basic(pair: string): Record<string, string> {
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` }
}

async function git(...args: readonly string[]): Promise<void> {
  await promisify(execFile)('git', [...args], {
    env: { PATH: process.env['PATH'], GIT_CONFIG_GLOBAL: '/dev/null', GIT_TERMINAL_PROMPT: '0' },
  })
}

/** Ids of the processes whose arguments name this test's repository or that serve it. */
async function gitProcesses(): Promise<readonly string[]> {
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const serving = await Promise.all(
    ids.map(async (id) => {
      const environment = await readFile(`/proc/${id}/environ`, 'latin1').catch(() => '')
      return environment.includes(`GIT_PROJECT_ROOT=${fleet.gitDirectory}`)
    }),
  )
  return ids.filter((_, index) => serving[index])
}
