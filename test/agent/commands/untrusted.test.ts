// Verbs that ask a server which signed its own certificate: each says by which option it is named, and nothing about node.
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { startTestServer, type TestServer } from '../../server/kit.ts'
import { makeSandbox, type Sandbox } from '../../support/plumb.ts'

let server: TestServer
let box: Sandbox

beforeAll(async () => {
  vi.stubEnv('PLUMB_TOKEN', 'plumb_of-no-operator')
  server = await startTestServer({ tls: { kind: 'self-signed' } })
  box = await makeSandbox({})
})

afterAll(async () => {
  vi.unstubAllEnvs()
  await box.remove()
  await server.remove()
})

const verbs: readonly (readonly [string, ...string[]])[] = [
  ['why', '/etc/motd'],
  ['adopt', '/etc/motd', '--host', 'web-1'],
  ['hold', '--fleet'],
  ['release', 'base', '--fleet'],
]

test.each(verbs.map((words) => [words[0], words] as const))('plumb %s', async (_, [verb, ...args]) => {
  const ask = (...more: readonly string[]) => box.plumb(verb, ...args, '--server', server.url, ...more)
  const stranger = await ask()
  expect(stranger).toMatchObject({ code: 1, err: expect.stringContaining('--certificate FILE') })
  expect(stranger.err).toContain('tls/certificate.pem')
  expect(stranger.err).not.toMatch(/node/i)
  const known = await ask('--certificate', join(server.data, 'tls/certificate.pem'))
  expect(known.err).not.toContain('is not the server it should be')
})
