import { readdir, readFile, stat } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { describe, expect, test } from 'vitest'
import { addressOf } from '../../../agent/sync/address.ts'
import { createGitHttp } from '../../../agent/sync/http.ts'
import { makeCertificate } from '../../support/git.ts'
import { fleetWith, host, openWith, packFiles, served, stateDirectory, texts } from './fixture.ts'

const noRewind = { allowRewind: false }

describe('credentials', () => {
  test('from the address are sent, and stand in no error and no file', async () => {
    const fleet = await fleetWith({ 'plumb.yaml': 'a' })
    const remote = await served(fleet, { username: 'bot', password: 'k/3y' })
    const state = await stateDirectory()
    const url = remote.url.replace('http://', `http://bot:${encodeURIComponent('k/3y')}@`)
    const repository = openWith(state, { url })

    const reader = await repository.sync(noRewind)
    await repository.accept(reader.revision)
    await remote.close()
    const failure = await repository.sync(noRewind).catch((error: unknown) => String(error))

    expect(await texts(reader)).toEqual({ 'plumb.yaml': 'a' })
    expect(failure).toContain(remote.url)
    expect(failure).not.toContain('3y')
    expect(await filesWith(state, /k\/3y|k%2F3y/)).toEqual([])
  })

  test('are asked for anew for each request, and sent without waiting to be asked', async () => {
    const fleet = await fleetWith({ 'plumb.yaml': 'a' })
    const remote = await served(fleet)
    const asked = [1, 2, 3, 4, 5, 6, 7, 8].values()
    const credentials = () => ({ username: 'web-1', password: `p${asked.next().value}` })

    await openWith(await stateDirectory(), { url: remote.url, credentials }).sync(noRewind)

    const passwords = remote.authorizations.map((header) => Buffer.from(header?.slice(6) ?? '', 'base64').toString())
    expect(passwords.length).toBeGreaterThan(2)
    expect(passwords).toEqual(passwords.map((_, index) => `web-1:p${index + 1}`))
  })

  test('are not sent to another origin that the remote sends on to', async () => {
    const fleet = await fleetWith({ 'plumb.yaml': 'a' })
    const real = await served(fleet)
    const moved = await served(fleet, {
      intercept: (request, response) => {
        response
          .writeHead(request.method === 'GET' ? 301 : 307, { location: `http://127.0.0.1:${real.port}${request.url}` })
          .end()
        return true
      },
    })
    const credentials = () => ({ username: 'web-1', password: 'secret' })

    const reader = await openWith(await stateDirectory(), { url: moved.url, credentials }).sync(noRewind)

    expect(reader.revision).toBe(await fleet.head())
    expect(moved.authorizations[0]).toBeDefined()
    expect(real.authorizations.every((header) => header === undefined)).toBe(true)
  })
})

describe('a remote that says no', () => {
  test.each([
    [401, 'does not accept'],
    [403, 'does not allow this host to read'],
    [404, 'no repository at this address'],
    [429, 'called less often'],
    [500, 'a fault of its own'],
  ])('with %i is told in plain words', async (status, words) => {
    const failed = syncAgainst((_, response) => response.writeHead(status).end('no'))

    await expect(failed).rejects.toMatchObject({ code: 'repository-unreachable' })
    await expect(failed).rejects.toThrow(words)
  })

  test('with a page for people is told to be no repository', async () => {
    const page = '<!doctype html><title>Welcome</title>'.repeat(50)
    const failed = syncAgainst((_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end(page))

    await expect(failed).rejects.toMatchObject({ code: 'repository-unreachable' })
    await expect(failed).rejects.toThrow('does not speak git')
  })

  test('by sending on for ever is given up', async () => {
    const failed = syncAgainst((request, response) => response.writeHead(302, { location: `${request.url}x` }).end())

    await expect(failed).rejects.toThrow('from address to address')
  })
})

describe('a remote that is not there', () => {
  test.each([
    ['http://127.0.0.1:1/fleet', 'connection refused'],
    ['http://no-such-host.invalid/fleet', /not known to DNS|DNS does not answer/],
    ['https://127.0.0.1:1/fleet', 'connection refused'],
  ])('%s', async (url, words) => {
    const failed = openWith(await stateDirectory(), { url }).sync(noRewind)

    await expect(failed).rejects.toMatchObject({ code: 'repository-unreachable' })
    await expect(failed).rejects.toThrow(words)
  })

  test('a connection that breaks off in the middle of the pack leaves the last good revision and heals', async () => {
    const { fleet, open, state } = await host('http')
    const first = open()
    await first.accept((await first.sync(noRewind)).revision)
    const next = await fleet.commit({ big: randomText(300_000) })
    const cutting = await served(fleet, { intercept: cutAfter(100_000) })

    const failed = openWith(state, { url: cutting.url }).sync(noRewind)
    await expect(failed).rejects.toMatchObject({ code: 'repository-unreachable' })
    expect(await texts(await open().lastGood())).toEqual({ 'plumb.yaml': 'version: 1\n' })
    expect((await open().sync(noRewind)).revision).toBe(next)
  })

  test('a first clone that breaks off leaves nothing behind that the next one stumbles over', async () => {
    const fleet = await fleetWith({ big: randomText(300_000) })
    const [cutting, whole] = [await served(fleet, { intercept: cutAfter(50_000) }), await served(fleet)]
    const state = await stateDirectory()

    await expect(openWith(state, { url: cutting.url }).sync(noRewind)).rejects.toMatchObject({
      code: 'repository-unreachable',
    })
    expect(await openWith(state, { url: cutting.url }).lastGood()).toBeUndefined()
    expect((await openWith(state, { url: whole.url }).sync(noRewind)).revision).toBe(await fleet.head())
  })

  test('a server that takes the request and never answers is given up', async () => {
    const silent = await served(await fleetWith({ a: 'a' }), { intercept: () => true })

    await expect(requestTo(silent.url, { idleSeconds: 0.2 })).rejects.toThrow('no answer in time')
  })

  test('a server that trickles for ever is given up', async () => {
    const trickling = await served(await fleetWith({ a: 'a' }), {
      intercept: (_, response) => {
        const timer = setInterval(() => response.write('x'), 20)
        response.once('close', () => clearInterval(timer))
        return true
      },
    })

    await expect(requestTo(trickling.url, { totalSeconds: 0.5 })).rejects.toThrow('no answer in time')
    await expect(requestTo(trickling.url, { bodyBytes: 5 })).rejects.toThrow('sent more than')
  })
})

describe('https', () => {
  test('a self-signed certificate is refused, and trusted once it is pinned', async () => {
    const tls = await makeCertificate('127.0.0.1')
    const fleet = await fleetWith({ 'plumb.yaml': 'a' })
    const remote = await served(fleet, { tls })

    const refused = openWith(await stateDirectory(), { url: remote.url }).sync(noRewind)
    await expect(refused).rejects.toThrow('is not signed by an authority that this host trusts')
    const reader = await openWith(await stateDirectory(), { url: remote.url, certificate: tls.cert }).sync(noRewind)
    expect(reader.revision).toBe(await fleet.head())
  })

  test('a pinned certificate may carry any name, another one with the right name is refused', async () => {
    const elsewhere = await makeCertificate('plumb.example.org')
    const fleet = await fleetWith({ 'plumb.yaml': 'a' })
    const remote = await served(fleet, { tls: elsewhere })
    const impostor = await served(fleet, { tls: await makeCertificate('127.0.0.1') })

    const reader = await openWith(await stateDirectory(), { url: remote.url, certificate: elsewhere.cert }).sync(
      noRewind,
    )
    const impersonated = openWith(await stateDirectory(), { url: impostor.url, certificate: elsewhere.cert })

    expect(reader.revision).toBe(await fleet.head())
    await expect(impersonated.sync(noRewind)).rejects.toMatchObject({ code: 'repository-unreachable' })
  })

  test('is not left for http when the remote sends on', async () => {
    const tls = await makeCertificate('127.0.0.1')
    const fleet = await fleetWith({ 'plumb.yaml': 'a' })
    const plain = await served(fleet)
    const remote = await served(fleet, {
      tls,
      intercept: (request, response) => {
        response.writeHead(302, { location: `http://127.0.0.1:${plain.port}${request.url}` }).end()
        return true
      },
    })

    await expect(
      openWith(await stateDirectory(), { url: remote.url, certificate: tls.cert }).sync(noRewind),
    ).rejects.toThrow('without TLS')
    expect(plain.requests).toEqual([])
  })

  test('a pinned certificate that is none is an error of its own', async () => {
    const failed = openWith(await stateDirectory(), { url: 'https://127.0.0.1:1/x', certificate: 'nonsense' }).sync(
      noRewind,
    )

    await expect(failed).rejects.toMatchObject({ code: 'usage' })
  })
})

test('a poll of a remote that has not moved asks for its head alone', async () => {
  const { open, remote, state } = await host('http')
  const repository = open()
  await repository.accept((await repository.sync(noRewind)).revision)
  const [requests, packs] = [remote?.requests.length ?? 0, await packFiles(state)]

  await repository.sync(noRewind)

  expect(remote?.requests.slice(requests)).toEqual([
    'GET /git/fleet.git/info/refs?service=git-upload-pack',
    'POST /git/fleet.git/git-upload-pack',
  ])
  expect(await packFiles(state)).toEqual(packs)
})

test('nothing stays connected between two syncs', async () => {
  const { open, remote } = await host('http')
  const repository = open()
  await repository.accept((await repository.sync(noRewind)).revision)

  await expect.poll(() => remote?.connections()).toBe(0)
})

async function syncAgainst(answer: (request: IncomingMessage, response: ServerResponse) => unknown) {
  const remote = await served(await fleetWith({ a: 'a' }), {
    intercept: (request, response) => {
      answer(request, response)
      return true
    },
  })
  return await openWith(await stateDirectory(), { url: remote.url }).sync(noRewind)
}

async function requestTo(
  url: string,
  limits: Partial<{ idleSeconds: number; totalSeconds: number; bodyBytes: number }>,
) {
  const address = addressOf({ url })
  if (address.kind !== 'http') throw new Error('not http')
  const all = { idleSeconds: 10, totalSeconds: 10, bodyBytes: 1_000_000, heldBytes: 1_000_000, ...limits }
  return await createGitHttp(address, undefined, all).request({ url })
}

/** Lets so many bytes of an answer through, then the connection is gone. */
function cutAfter(bytes: number) {
  return (_: IncomingMessage, response: ServerResponse): boolean => {
    const write = response.write.bind(response)
    let sent = 0
    response.write = (chunk: Uint8Array | string, ...rest: never[]): boolean => {
      sent += chunk.length
      if (sent > bytes) response.destroy()
      return write(chunk, ...rest)
    }
    return false
  }
}

function randomText(length: number): string {
  return Array.from({ length }, () => String.fromCharCode(32 + Math.floor(Math.random() * 90))).join('')
}

async function filesWith(directory: string, pattern: RegExp): Promise<readonly string[]> {
  const names = await readdir(directory, { recursive: true })
  const found = await Promise.all(
    names.map(async (name) => {
      const path = `${directory}/${name}`
      return (await stat(path)).isFile() && pattern.test(await readFile(path, 'latin1'))
    }),
  )
  return names.filter((_, index) => found[index])
}
