import { execFile } from 'node:child_process'
import { createHash, sign, X509Certificate } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { z } from 'zod'
import { installScript } from '../../../../server/web/install/install-script.ts'
import { agentSocketPath, mirrorText } from '../../../../shared/protocol.ts'
import { enrollAgent, startTestServer, type TestServer } from '../../kit.ts'

const run = promisify(execFile)
const invitationSchema = z.object({ token: z.string(), installLine: z.string(), warning: z.string().optional() })

let server: TestServer

beforeEach(async () => {
  server = await startTestServer()
  await mkdir(join(server.data, 'artifacts'))
})

afterEach(() => server.remove())

test('an artifact is served as it was built, with its SHA-256 in script and pin', async () => {
  const gz = gzipSync('an executable')
  await writeFile(join(server.data, 'artifacts/plumb-linux-x64.gz'), gz)
  const sha256 = createHash('sha256').update(gz).digest('hex')

  const served = await server.get('/artifacts/linux-x64.gz')

  expect(Buffer.from(await served.arrayBuffer()).equals(gz)).toBe(true)
  expect(await (await server.get('/install')).text()).toContain(`linux-x64) sha256=${sha256} ;;`)
  expect(await (await server.get('/artifacts/pin')).text()).toBe(
    `version 0.1.0\nlinux-x64 ${sha256} ${server.url}artifacts/linux-x64.gz\n`,
  )
})

test('a new build is served without a restart', async () => {
  const file = join(server.data, 'artifacts/plumb-linux-x64.gz')
  await writeFile(file, 'one')
  await server.get('/install')
  await writeFile(file, 'another')

  const sha256 = createHash('sha256').update('another').digest('hex')
  expect(await (await server.get('/install')).text()).toContain(sha256)
})

test('over plain http the install line comes with a warning', async () => {
  const invitation = await invite({ host: 'web-1' })

  expect(invitation.installLine).toBe(
    `curl -fsSL ${server.url}install | $(sh -c 'command -v sudo') sh -s -- ${invitation.token} web-1`,
  )
  expect(invitation.warning).toContain('Plain http')
})

test('curl takes the script from the pinned key, and from no other', async () => {
  await server.restart({ tls: { kind: 'self-signed' } })
  const options = curlOptions((await inviteOverTls()).installLine)
  expect(options).toContain('--insecure')

  const { stdout } = await run('curl', options)
  expect(stdout).toMatch(/^#!\/bin\/sh/)

  const other = options.map((option) => option.replace(/^sha256\/\/.*/, `sha256//${'A'.repeat(43)}=`))
  await expect(run('curl', other)).rejects.toMatchObject({ code: 90 })
})

test('the self-signed certificate is made once, names the server, and is what hosts trust', async () => {
  await server.restart({ tls: { kind: 'self-signed' } })
  const certificate = await readFile(join(server.data, 'tls/certificate.pem'), 'utf8')
  const first = await verifiedBy(certificate, '127.0.0.1')
  await server.restart({ tls: { kind: 'self-signed' } })

  expect(first).toBe(true)
  expect(await readFile(join(server.data, 'tls/certificate.pem'), 'utf8')).toBe(certificate)
  expect(await fetchText('/install', certificate)).toContain(certificate.trim())
})

test('a new public name makes a new certificate for the same key, so that pins hold', async () => {
  await server.restart({ tls: { kind: 'self-signed' } })
  const [pin] = curlOptions((await inviteOverTls()).installLine).filter((option) => option.startsWith('sha256//'))

  await server.restart({ tls: { kind: 'self-signed' }, publicUrl: new URL('https://plumb.example.org:7420/') })

  const certificate = new X509Certificate(await readFile(join(server.data, 'tls/certificate.pem')))
  const spki = certificate.publicKey.export({ type: 'spki', format: 'der' })
  expect(certificate.checkHost('plumb.example.org')).toBe('plumb.example.org')
  expect(pin).toBe(`sha256//${createHash('sha256').update(spki).digest('base64')}`)
})

test('agents connect over TLS to the certificate they were given, and to no other', async () => {
  await server.restart({ tls: { kind: 'self-signed' } })
  const ca = await readFile(join(server.data, 'tls/certificate.pem'), 'utf8')
  const [port, host] = [await portOf(), '127.0.0.1']

  const trusted = new WebSocket(`wss://${host}:${port}${agentSocketPath}`, { ca })
  const greeting = await new Promise((resolve, reject) => {
    trusted.once('message', (message) => resolve(JSON.parse(String(message)).type))
    trusted.once('error', reject)
  })
  trusted.terminate()

  expect(greeting).toBe('challenge')
  const untrusting = new WebSocket(`wss://${host}:${port}${agentSocketPath}`)
  const refusal = await new Promise<Error>((resolve) => untrusting.once('error', resolve))
  expect(refusal.message).toMatch(/self-signed/)
})

test('an enrolled host clones the repository from the server by its own key; nobody else does', async () => {
  const agent = await enrollAgent(server, 'web-1')
  const issued = Math.floor(server.clock.now().getTime() / 1000)
  const signature = sign(null, Buffer.from(mirrorText('web-1', issued)), agent.privateKey).toString('base64url')
  const mirror = new URL('/git/fleet.git', server.url)
  const clone = (password: string, into: string) => {
    const url = new URL(mirror)
    url.username = 'web-1'
    url.password = password
    return run('git', ['clone', '-q', url.href, join(server.data, into)], {
      env: { ...process.env, GIT_TERMINAL_PROMPT: '0' },
    })
  }

  await clone(`${issued}.${signature}`, 'mine')
  expect(await readFile(join(server.data, 'mine/services/nginx/README.md'), 'utf8')).toContain('# nginx')

  await expect(clone(`${issued - 1}.${signature}`, 'forged')).rejects.toThrow()
  await server.delete('/api/v1/hosts/web-1')
  await expect(clone(`${issued}.${signature}`, 'removed')).rejects.toThrow()
})

test.skipIf(process.getuid?.() !== 0)(
  'the script installs the very artifact and hands over to it, as root on a bare machine',
  async () => {
    await writeFile(
      join(server.data, 'artifacts/plumb-linux-x64.gz'),
      gzipSync('#!/bin/sh\nprintf "%s\\n" "$PLUMB_TOKEN" "$@"\n'),
    )
    await writeFile(
      join(server.data, 'artifacts/plumb-linux-arm64.gz'),
      gzipSync('#!/bin/sh\nprintf "%s\\n" "$PLUMB_TOKEN" "$@"\n'),
    )
    await writeFile(join(server.data, 'script'), await (await server.get('/install')).text())

    const { stdout } = await inScratchMachine('a-token', 'web-1')

    expect(stdout.trim().split('\n').slice(-8)).toEqual([
      ...['a-token', 'install', '--server', server.url],
      ...['--repo', `${server.url}git/fleet.git`, '--host', 'web-1'],
    ])
  },
)

test.skipIf(process.getuid?.() !== 0)('an artifact that is not the one the script names is not installed', async () => {
  for (const platform of ['x64', 'arm64'])
    await writeFile(join(server.data, `artifacts/plumb-linux-${platform}.gz`), gzipSync('one'))
  await writeFile(join(server.data, 'script'), await (await server.get('/install')).text())
  for (const platform of ['x64', 'arm64'])
    await writeFile(join(server.data, `artifacts/plumb-linux-${platform}.gz`), gzipSync('two'))

  await expect(inScratchMachine('a-token')).rejects.toMatchObject({
    stderr: expect.stringContaining('Nothing was installed'),
  })
})

test('the script is plain POSIX shell, with a certificate and quotes in addresses too', async () => {
  const script = installScript({
    server: new URL('https://plumb.example.org/'),
    key: { kind: 'self-signed', pin: 'x'.repeat(43) },
    certificate: '-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n',
    repository: "https://forge.example.org/it's.git",
    artifacts: [{ platform: 'linux-x64', sha256: 'a'.repeat(64) }],
  })

  await writeFile(join(server.data, 'script'), script)
  await run('sh', ['-n', join(server.data, 'script')])
  expect(script).toContain(`--repo 'https://forge.example.org/it'\\''s.git'`)
})

async function invite(request: object): Promise<z.infer<typeof invitationSchema>> {
  return invitationSchema.parse(await (await server.post('/api/v1/enrolment-tokens', request)).json())
}

async function inviteOverTls(): Promise<z.infer<typeof invitationSchema>> {
  const { stdout } = await run('curl', [
    ...['-fsS', '--insecure', '-X', 'POST', '-H', `Authorization: Bearer ${server.operatorToken}`],
    new URL('/api/v1/enrolment-tokens', server.url).href,
  ])
  return invitationSchema.parse(JSON.parse(stdout))
}

/** What stands before the pipe, as a shell would split it. */
function curlOptions(installLine: string): readonly string[] {
  const [curl = ''] = installLine.split(' | ')
  return curl
    .split(' ')
    .slice(1)
    .map((word) => word.replaceAll("'", ''))
}

async function portOf(): Promise<number> {
  return Number(new URL(server.url).port)
}

async function verifiedBy(ca: string, name: string): Promise<boolean> {
  const port = await portOf()
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: name, ca }, () => {
      socket.end()
      resolve(socket.authorized)
    })
    socket.on('error', reject)
  })
}

async function fetchText(path: string, ca: string): Promise<string> {
  await writeFile(join(server.data, 'ca.pem'), ca)
  const { stdout } = await run('curl', [
    '-fsS',
    '--cacert',
    join(server.data, 'ca.pem'),
    new URL(path, server.url).href,
  ])
  return stdout
}

/** The machine as it is, with a /usr/local/bin that is gone when the script has ended. */
function inScratchMachine(...args: readonly string[]): Promise<{ readonly stdout: string }> {
  const script = 'mount -t tmpfs tmpfs /usr/local/bin && exec sh "$@"'
  return run('unshare', ['--mount', 'sh', '-c', script, 'sh', join(server.data, 'script'), ...args])
}
