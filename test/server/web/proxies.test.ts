// Behind a proxy: a server for its own machine shows nothing to others, and addresses are those of clients.
import type { IncomingHttpHeaders } from 'node:http'
import { afterEach, describe, expect, test } from 'vitest'
import { parseNetwork, shareOf } from '../../../server/client-address.ts'
import type { ServerSettings } from '../../../server/settings.ts'
import { type RunningProxy, startPlainNginx, startProxy } from '../../support/proxy.ts'
import { enroll, makeToken, newHostKey, openLine, startTestServer, type TestServer } from '../kit.ts'

const closing: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

const readable = ['/api/v1/fleet', '/api/v1/alerts', '/api/v1/hosts/web-1', '/api/v1/why?path=/etc/nginx/nginx.conf']

describe('a server on loopback that was told of no proxy', () => {
  test('is read by programs of its machine without signing in', async () => {
    const server = await started()

    expect(await statuses(server.url)).toEqual([200, 200, 200, 200, 200, 200])
  })

  test.each<readonly [string, IncomingHttpHeaders]>([
    ['X-Forwarded-For', { 'x-forwarded-for': '203.0.113.9' }],
    ['X-Forwarded-Proto', { 'x-forwarded-proto': 'https' }],
    ['X-Forwarded-Host', { 'x-forwarded-host': 'plumb.example.org' }],
    ['Forwarded', { forwarded: 'for=203.0.113.9' }],
    ['Via', { via: '1.1 varnish' }],
    ['X-Real-IP', { 'x-real-ip': '203.0.113.9' }],
    ['an empty X-Forwarded-For', { 'x-forwarded-for': '' }],
    ['CF-Connecting-IP', { 'cf-connecting-ip': '203.0.113.9' }],
  ])('shows nothing through a proxy that leaves %s', async (_name, added) => {
    const server = await started()
    const proxy = await proxyTo(server.url, ({ host: _, ...given }) => ({
      ...given,
      ...added,
      host: new URL(server.url).host,
    }))

    expect(await statuses(proxy.url)).toEqual([401, 401, 401, 401, 302, 302])
  })

  test('shows nothing through an nginx that is configured with proxy_pass alone', async () => {
    const server = await started()
    const proxy = await startPlainNginx(server.url)
    closing.push(proxy.close)

    expect(await statuses(proxy.url)).toEqual([401, 401, 401, 401, 302, 302])
  })

  test('shows nothing through a proxy that leaves no header and keeps the name', async () => {
    const server = await started()
    const proxy = await proxyTo(server.url, (given) => ({ ...given, host: 'plumb.example.org' }))

    expect(await statuses(proxy.url)).toEqual([403, 403, 403, 403, 403, 403])
  })

  test('serves an operator who signs in through the proxy', async () => {
    const server = await started()
    const proxy = await proxyTo(server.url, (given) => ({
      ...given,
      host: new URL(server.url).host,
      'x-forwarded-for': '203.0.113.9',
    }))

    const answer = await fetch(new URL('/api/v1/fleet', proxy.url), {
      headers: { authorization: `Bearer ${server.operatorToken}` },
    })
    expect(answer.status).toBe(200)
  })

  test('is for all who reach it where --viewers anyone says so', async () => {
    const server = await started({ viewers: 'anyone' })
    const proxy = await proxyTo(server.url, (given) => ({ ...given, host: new URL(server.url).host, via: '1.1 x' }))

    expect(await statuses(proxy.url)).toEqual([200, 200, 200, 200, 200, 200])
  })

  test('is not for its machine any more once proxies are trusted', async () => {
    const server = await started({ trustedProxies: ['127.0.0.2/32'] })

    expect(await statuses(server.url)).toEqual([401, 401, 401, 401, 302, 302])
  })
})

describe('the address of a client, in logs and alerts', () => {
  const appended = (given: IncomingHttpHeaders, peer: string) => {
    const before = given['x-forwarded-for']
    return { ...given, 'x-forwarded-for': before === undefined ? peer : `${before}, ${peer}` }
  }

  test('is the proxy, where it is not trusted, whatever the header says', async () => {
    const server = await started()
    const proxy = await proxyTo(server.url, appended)

    expect(await refusedFrom(server, proxy.url, { 'x-forwarded-for': '203.0.113.9' })).toBe('127.0.0.2')
  })

  test('is whom a trusted proxy got the request from, not what the client wrote into the header', async () => {
    const server = await started({ trustedProxies: ['127.0.0.2/32'] })
    const proxy = await proxyTo(server.url, appended)

    expect(await refusedFrom(server, proxy.url, { 'x-forwarded-for': '203.0.113.9' })).toBe('127.0.0.1')
  })

  test('is found behind a chain of trusted proxies', async () => {
    const server = await started({ trustedProxies: ['127.0.0.2/31'] })
    const inner = await proxyTo(server.url, appended, '127.0.0.3')
    const outer = await proxyTo(inner.url, appended, '127.0.0.2')

    expect(await refusedFrom(server, outer.url)).toBe('127.0.0.1')
    expect(await refusedFrom(server, outer.url, { 'x-forwarded-for': '10.0.0.1, 127.0.0.2' })).toBe('127.0.0.1')
  })

  test('ends at the first proxy of a chain that is not trusted', async () => {
    const server = await started({ trustedProxies: ['127.0.0.3/32'] })
    const inner = await proxyTo(server.url, appended, '127.0.0.3')
    const outer = await proxyTo(inner.url, appended, '127.0.0.2')

    expect(await refusedFrom(server, outer.url)).toBe('127.0.0.2')
  })

  test.each([
    ['x-forwarded-for', '2001:db8::7', '2001:db8::7'],
    ['x-forwarded-for', '[2001:db8::7]:4711', '2001:db8::7'],
    ['x-forwarded-for', '198.51.100.7:4711', '198.51.100.7'],
    ['x-forwarded-for', '::ffff:198.51.100.7', '198.51.100.7'],
    ['x-forwarded-for', 'unknown', '::1'],
    ['x-forwarded-for', '198.51.100.7, not an address', '::1'],
    ['x-forwarded-for', '<script>', '::1'],
    ['forwarded', 'for="[2001:db8::7]:4711";proto=https', '2001:db8::7'],
    ['forwarded', 'for=198.51.100.1, For=198.51.100.7;by=203.0.113.43', '198.51.100.7'],
    ['forwarded', 'for=_hidden', '::1'],
  ])('is read of %s: %s over IPv6', async (name, value, client) => {
    const server = await started({ listen: { host: '::1', port: 0 }, trustedProxies: ['::1/128'] })
    const proxy = await proxyTo(server.url, (given) => ({ ...given, [name]: value }), '::1')

    expect(await refusedFrom(server, proxy.url)).toBe(client)
  })

  test.each<readonly [string, IncomingHttpHeaders, IncomingHttpHeaders, string]>([
    ['sets only Forwarded', { 'x-forwarded-for': '203.0.113.9' }, { forwarded: 'for=198.51.100.7' }, '127.0.0.2'],
    ['sets only X-Forwarded-For', { forwarded: 'for=203.0.113.9' }, { 'x-forwarded-for': '198.51.100.7' }, '127.0.0.2'],
    [
      'sets both',
      { forwarded: 'for=203.0.113.9', 'x-forwarded-for': '203.0.113.9' },
      { forwarded: 'for=203.0.113.9, for=198.51.100.7', 'x-forwarded-for': '198.51.100.7' },
      '198.51.100.7',
    ],
  ])('is never what a client wrote into the other header of a proxy that %s', async (_which, written, set, address) => {
    const server = await started({ trustedProxies: ['127.0.0.2/32'] })
    const proxy = await proxyTo(server.url, (given) => ({ ...given, ...set }))

    expect(await refusedFrom(server, proxy.url, written as Record<string, string>)).toBe(address)
  })

  test('is in the log of an agent that is refused, and in the alert of a refused enrollment', async () => {
    const server = await started({ trustedProxies: ['127.0.0.2/32'] })
    const proxy = await proxyTo(server.url, (given) => ({ ...given, 'x-forwarded-for': '198.51.100.7' }))

    const line = await openLine({ ...server, url: proxy.url })
    line.sendText('nonsense')
    await line.closed
    const token = await makeToken(server, { host: 'web-1' })
    await enroll({ ...server, url: proxy.url }, { token, host: 'web-2', publicKey: newHostKey().publicKey })

    expect(loggedOf(server, 'agent connection refused')?.from).toBe('198.51.100.7')
    const [alert] = (await server.openAlerts()).filter(({ kind }) => kind === 'enrollment-refused')
    expect(alert?.text).toContain('198.51.100.7')
  })
})

test.each([
  ['198.51.100.7', '198.51.100.7'],
  ['::ffff:198.51.100.7', '198.51.100.7'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['2001:DB8:0:0:1:2:3:4', '2001:db8:0:0::/64'],
  ['2001:0db8:0000::ffff', '2001:db8:0:0::/64'],
  ['2001:db8:0:1::1', '2001:db8:0:1::/64'],
  ['::1', '0:0:0:0::/64'],
  ['64:ff9b::198.51.100.7', '64:ff9b:0:0::/64'],
  ['::1:2:3:4:198.51.100.7', '0:0:1:2::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['an unknown address', 'an unknown address'],
])('limits for %s are counted for %s', (address, share) => {
  expect(shareOf(address)).toBe(share)
})

test.each([
  ['10.0.0.0/8', '10.0.0.0/8'],
  ['192.0.2.7', '192.0.2.7/32'],
  [' fd00::/8', 'fd00::/8'],
  ['::1', '::1/128'],
  ['0.0.0.0/0', undefined],
  ['::/0', undefined],
  ['10.0.0.0/33', undefined],
  ['10.0.0/8', undefined],
  ['proxy.example.org', undefined],
  ['', undefined],
])('as a network of trusted proxies "%s" is %s', (text, network) => {
  expect(parseNetwork(text)).toBe(network)
})

async function started(settings: Partial<ServerSettings> = {}): Promise<TestServer> {
  const server = await startTestServer(settings)
  closing.push(server.remove)
  return server
}

type Rewrite = (given: IncomingHttpHeaders, peer: string) => IncomingHttpHeaders

async function proxyTo(to: string, headers: Rewrite, address = '127.0.0.2'): Promise<RunningProxy> {
  const proxy = await startProxy({ to, headers, address })
  closing.push(proxy.close)
  return proxy
}

async function statuses(url: string): Promise<readonly number[]> {
  const paths = [...readable, '/', '/hosts/web-1']
  return await Promise.all(paths.map(async (path) => (await fetch(new URL(path, url), { redirect: 'manual' })).status))
}

async function refusedFrom(server: TestServer, url: string, headers: Record<string, string> = {}): Promise<unknown> {
  const body = JSON.stringify({ token: 'plumb_never-issued', host: 'web-1', publicKey: newHostKey().publicKey })
  const answer = await fetch(new URL('/api/v1/agents/enrol', url), { method: 'POST', body, headers })
  expect(answer.status).toBe(403)
  return loggedOf(server, 'enrollment refused')?.from
}

/** The latest line with the message. */
function loggedOf(server: TestServer, message: string): { readonly from?: unknown } | undefined {
  const lines = server
    .log()
    .split('\n')
    .filter((line) => line.includes(`"msg":"${message}"`))
  return lines.length === 0 ? undefined : JSON.parse(lines.at(-1) ?? '')
}
