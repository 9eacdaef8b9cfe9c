// A server is known by its key: real TLS servers with certificates of one key and of others, and what reaches them.
import { createPublicKey, X509Certificate } from 'node:crypto'
import http from 'node:http'
import https from 'node:https'
import net, { type AddressInfo } from 'node:net'
import { generate } from 'selfsigned'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { requestServer } from '../../../agent/report/request-server.ts'
import { type PinnedOptions, pinnedAgent } from '../../../shared/platform/tls.ts'
import { certificateFor, makeCertificate } from '../../support/git.ts'

type Pair = { readonly key: string; readonly cert: string }

let own: Pair
let other: Pair
const closing: (() => void)[] = []

beforeAll(async () => {
  own = await makeCertificate('plumb.example.org')
  other = await makeCertificate('127.0.0.1')
})
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

type Shown = { readonly url: string; readonly heard: string[] }

async function serve(tls: Pair): Promise<Shown> {
  const heard: string[] = []
  const server = https.createServer({ key: tls.key, cert: tls.cert }, (request, response) => {
    heard.push(`${request.method} ${request.url}`)
    response.setHeader('content-type', 'application/json').end('{"ok":true}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => server.close().closeAllConnections())
  return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/`, heard }
}

function ask(url: string, agent: https.Agent): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const call = https.request(url, { agent, method: 'POST' }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode))
    })
    call.on('error', reject)
    call.end('{"secret":1}')
  })
}

const pinned = (options?: PinnedOptions) => pinnedAgent(new X509Certificate(own.cert), options)

describe('the pinned key is the server', () => {
  test.each([
    ['with the certificate that was pinned', () => own.cert],
    ['with another name', () => certificateFor(own.key, 'new.example.org')],
    ['with the name that is dialled', () => certificateFor(own.key, '127.0.0.1')],
  ])('%s', async (_name, certificate) => {
    const { url } = await serve({ key: own.key, cert: await certificate() })
    expect(await ask(url, pinned())).toBe(200)
    const answer = await requestServer({ url: new URL(url), certificate: own.cert, remedy: '' })
    expect(answer).toMatchObject({ kind: 'answered', json: { ok: true } })
  })

  test('over one connection, time after time', async () => {
    const { url, heard } = await serve(own)
    const agent = pinned({ keepAlive: true })
    closing.push(() => agent.destroy())
    for (let times = 0; times < 3; times += 1) expect(await ask(url, agent)).toBe(200)
    expect(heard).toHaveLength(3)
    expect(Object.values(agent.freeSockets).flat()).toHaveLength(1)
  })

  test('through a proxy', async () => {
    const { url, heard } = await serve({ key: own.key, cert: await certificateFor(own.key, 'x.example.org') })
    const proxyEnv = { HTTPS_PROXY: await proxyTo(Number(new URL(url).port)) }
    expect(await ask(url, pinned({ proxyEnv }))).toBe(200)
    const { url: fooled, heard: nothing } = await serve(other)
    const { port } = new URL(fooled)
    const astray = { HTTPS_PROXY: await proxyTo(Number(port)) }
    await expect(ask(url, pinned({ proxyEnv: astray }))).rejects.toThrow('another key')
    expect([heard.length, nothing.length]).toEqual([1, 0])
  })
})

describe('what has not the key hears nothing', () => {
  test('with the right name and a certificate of its own', async () => {
    const { url, heard } = await serve(other)
    await expect(ask(url, pinned())).rejects.toThrow('the server shows another key than the pinned one')
    await expect(requestServer({ url: new URL(url), certificate: own.cert, remedy: '' })).rejects.toMatchObject({
      problems: [{ code: 'server-untrusted' }],
    })
    expect(heard).toEqual([])
  })

  test('with the key, and a certificate that has ended', async () => {
    const { url, heard } = await serve({ key: own.key, cert: await ended(own.key) })
    await expect(ask(url, pinned())).rejects.toMatchObject({ code: 'CERT_HAS_EXPIRED' })
    expect(heard).toEqual([])
  })

  test('where nothing listens, or it is no TLS', async () => {
    const plain = net.createServer((socket) =>
      socket
        .on('error', () => {})
        .resume()
        .end('HTTP/1.1 200 OK\r\n\r\n'),
    )
    await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve))
    const url = `https://127.0.0.1:${(plain.address() as AddressInfo).port}/`
    await expect(ask(url, pinned())).rejects.toThrow()
    await new Promise((resolve) => plain.close(resolve))
    await expect(ask(url, pinned())).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })
})

describe('beside the pinned key, an authority', () => {
  const byAuthority = () => pinned({ ca: [other.cert], orElseByAuthority: true })

  test('vouches for another key under its name', async () => {
    const { url } = await serve(other)
    expect(await ask(url, byAuthority())).toBe(200)
  })

  test('vouches for nothing under another name, and for nobody it does not know', async () => {
    const renamed = await serve({ key: other.key, cert: await certificateFor(other.key, 'localhost') })
    const stranger = await serve(await makeCertificate('127.0.0.1'))
    await expect(ask(renamed.url, byAuthority())).rejects.toThrow(/not trusted/)
    await expect(ask(stranger.url, byAuthority())).rejects.toMatchObject({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })
    expect([...renamed.heard, ...stranger.heard]).toEqual([])
  })
})

async function ended(privateKey: string): Promise<string> {
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }).toString()
  const [notBeforeDate, notAfterDate] = [new Date('2020-01-01'), new Date('2021-01-01')]
  const options = { algorithm: 'sha256', keyPair: { privateKey, publicKey }, notBeforeDate, notAfterDate } as const
  return (await generate([{ name: 'commonName', value: '127.0.0.1' }], { ...options, keyType: 'ec', curve: 'P-256' }))
    .cert
}

/** Leads there whatever is asked for. */
async function proxyTo(port: number): Promise<string> {
  const proxy = http.createServer().on('connect', (_request, socket, head) => {
    const onwards = net.connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      onwards.write(head)
      onwards.pipe(socket).pipe(onwards)
    })
    for (const end of [onwards, socket]) end.on('error', () => {})
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  closing.push(() => proxy.close().closeAllConnections())
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
}
