import { execFile } from 'node:child_process'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { enroll } from '../../../agent/report/enroll.ts'
import { ensureIdentity, readIdentity } from '../../../agent/report/identity.ts'
import { mirrorCredentials } from '../../../agent/report/mirror-credentials.ts'
import { verifyMirrorPassword } from '../../../server/repository/mirror.ts'
import { enrollRequestSchema } from '../../../shared/protocol.ts'
import { makeCertificate } from '../../support/git.ts'
import { afterwards, stateDirectory, web1 } from './fixture.ts'

const token = 'plumb_0123456789abcdef'

test("a host's key is made once, is its own, and is readable by root alone", async () => {
  const state = await stateDirectory()
  expect(readIdentity(state)).toBeUndefined()

  const keys = await Promise.all([1, 2, 3, 4].map(() => ensureIdentity(state)))

  expect(new Set(keys.map(({ publicKey }) => publicKey)).size).toBe(1)
  expect(readIdentity(state)?.publicKey).toBe(keys[0]?.publicKey)
  expect(await readdir(state)).toEqual(['identity.pem'])
  expect((await stat(join(state, 'identity.pem'))).mode & 0o777).toBe(0o600)
  expect((await ensureIdentity(await stateDirectory())).publicKey).not.toBe(keys[0]?.publicKey)
})

test('a damaged key is an error, and is not replaced by a new one', async () => {
  const state = await stateDirectory()
  await writeFile(join(state, 'identity.pem'), 'nonsense')

  await expect(ensureIdentity(state)).rejects.toMatchObject({ code: 'state-corrupt' })
})

test('enrolling sends the token, the name and the public key', async () => {
  const state = await stateDirectory()
  const asked: string[] = []
  const server = await answering((request, response, body) => {
    asked.push(`${request.method} ${request.url}`, body)
    response.writeHead(201, { 'content-type': 'application/json' }).end('{"host":"web-1"}')
  })

  await enroll({ server, token, host: web1, stateDirectory: state })

  expect(asked[0]).toBe('POST /api/v1/agents/enrol')
  expect(enrollRequestSchema.parse(JSON.parse(asked[1] ?? ''))).toEqual({
    token,
    host: 'web-1',
    publicKey: readIdentity(state)?.publicKey,
  })
})

test("a refusal carries the server's words and its way out", async () => {
  const error = {
    code: 'token-refused',
    message: 'The enrollment token was refused.',
    remedy: 'Make a new install line.',
  }
  const refused = enrollAt(await answering((_, response) => response.writeHead(403).end(JSON.stringify({ error }))))

  await expect(refused).rejects.toMatchObject({ code: 'token-refused' })
  await expect(refused).rejects.toThrow(
    /did not enroll web-1: The enrollment token was refused. Make a new install line./,
  )
})

test.each([
  [404, 'Not found'],
  [502, '<html>Bad gateway</html>'],
  [200, '<html>Welcome</html>'],
  [201, '{"host":"another"}'],
  [500, JSON.stringify({ error: { code: 'internal', message: 'It broke.' } })],
])('%i with %s is not an answer of a sound Plumbline server', async (status, body) => {
  const failed = enrollAt(await answering((_, response) => response.writeHead(status).end(body)))

  await expect(failed).rejects.toMatchObject({ code: 'server-unreachable' })
  await expect(failed).rejects.toThrow(String(status))
})

test('a server that is not there leaves the token good', async () => {
  const failed = enrollAt('http://127.0.0.1:1')

  await expect(failed).rejects.toMatchObject({ code: 'server-unreachable' })
  await expect(failed).rejects.toThrow(/ECONNREFUSED.*the token is still good/s)
})

test('the token goes to no server that is not the pinned one, and to none without TLS', async () => {
  const [pinned, other] = [await makeCertificate('127.0.0.1'), await makeCertificate('127.0.0.1')]
  const bodies: string[] = []
  const take = (_: IncomingMessage, response: ServerResponse, body: string) => {
    bodies.push(body)
    response.writeHead(201).end('{"host":"web-1"}')
  }
  const server = await answering(take, pinned)
  const impostor = await answering(take, other)

  await expect(enrollAt(impostor, pinned.cert)).rejects.toMatchObject({ code: 'server-untrusted' })
  await expect(enrollAt(server)).rejects.toMatchObject({ code: 'server-untrusted' })
  await expect(enrollAt('http://plumb.example.org')).rejects.toMatchObject({ code: 'server-untrusted' })
  expect(bodies).toEqual([])
  await enrollAt(server, pinned.cert)
  expect(bodies).toHaveLength(1)
})

test('a certificate that an authority signed can be pinned by itself', async () => {
  const { leaf } = await signedCertificate()
  const server = await answering((_, response) => response.writeHead(201).end('{"host":"web-1"}'), leaf)

  await expect(enrollAt(server, leaf.cert)).resolves.toBeUndefined()
})

test('the mirror knows the host by a password that its key signed', async () => {
  const state = await stateDirectory()
  const { publicKey } = await ensureIdentity(state)
  const { username, password } = mirrorCredentials({ stateDirectory: state, host: web1 })()

  expect(username).toBe('web-1')
  expect(verifyMirrorPassword(publicKey, web1, password, Math.floor(Date.now() / 1000))).toBe(true)
})

async function enrollAt(server: string, certificate?: string): Promise<void> {
  await enroll({
    server,
    token,
    host: web1,
    stateDirectory: await stateDirectory(),
    ...(certificate === undefined ? {} : { certificate }),
  })
}

type Answer = (request: IncomingMessage, response: ServerResponse, body: string) => unknown

async function answering(answer: Answer, tls?: { key: string; cert: string }): Promise<string> {
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    let body = ''
    request.setEncoding('utf8').on('data', (chunk: string) => {
      body += chunk
    })
    request.on('end', () => answer(request, response, body))
  }
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  afterwards(() => server.close().closeAllConnections())
  return `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function signedCertificate() {
  const run = promisify(execFile)
  const directory = await stateDirectory()
  const at = (name: string) => join(directory, name)
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  await run('openssl', [
    'req',
    '-x509',
    ...key,
    '-keyout',
    at('ca.key'),
    '-out',
    at('ca.pem'),
    '-subj',
    '/CN=An authority',
  ])
  const signing = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-addext', 'basicConstraints=critical,CA:FALSE']
  await run('openssl', [
    'req',
    '-x509',
    ...key,
    ...signing,
    '-keyout',
    at('leaf.key'),
    '-out',
    at('leaf.pem'),
    '-subj',
    '/CN=leaf',
  ])
  return { leaf: { key: await readFile(at('leaf.key'), 'utf8'), cert: await readFile(at('leaf.pem'), 'utf8') } }
}
