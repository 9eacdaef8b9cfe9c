import { readFile } from 'node:fs/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { enroll, enrollAgent, makeToken, newHostKey, startTestServer, type TestServer } from '../kit.ts'

let server: TestServer

beforeEach(async () => {
  server = await startTestServer()
})

afterEach(() => server.remove())

test('of a hundred who redeem one token at once, one becomes a host', async () => {
  const token = await makeToken(server)
  const hosts = Array.from({ length: 100 }, (_, index) => `edge-${index}`)

  const answers = await Promise.all(
    hosts.map((host) => enroll(server, { token, host, publicKey: newHostKey().publicKey })),
  )

  expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array.from({ length: 99 }, () => 403)])
  const fleet = fleetSchema.parse(await (await server.get('/api/v1/fleet')).json())
  expect(fleet.hosts.filter(({ host }) => host.startsWith('edge-'))).toHaveLength(1)
})

test('a token for three hosts enrolls three, not four', async () => {
  const token = await makeToken(server, { uses: 3 })

  const statuses = []
  for (const host of ['a', 'b', 'c', 'd']) {
    statuses.push((await enroll(server, { token, host, publicKey: newHostKey().publicKey })).status)
  }

  expect(statuses).toEqual([201, 201, 201, 403])
})

test('expired, used, foreign and made-up tokens are refused in the same words; the log and an alert say why', async () => {
  const used = await makeToken(server)
  await enroll(server, { token: used, host: 'web-1', publicKey: newHostKey().publicKey })
  const forOther = await makeToken(server, { host: 'db-1' })
  const expired = await makeToken(server, { ttlMinutes: 1 })
  server.clock.advance(61)

  const refused = []
  for (const token of [expired, used, forOther, 'plumb_made-up-by-somebody']) {
    const response = await enroll(server, { token, host: 'web-2', publicKey: newHostKey().publicKey })
    refused.push({ status: response.status, text: await response.text() })
  }

  expect(new Set(refused.map(({ status }) => status))).toEqual(new Set([403]))
  expect(new Set(refused.map(({ text }) => text)).size).toBe(1)
  for (const reason of ['expired at', 'is used up', 'was made for db-1', 'no such token'])
    expect(server.log()).toContain(reason)
  const alerts = await server.openAlerts()
  expect(alerts.filter(({ kind }) => kind === 'enrollment-refused')).toHaveLength(3)
})

test('a token never replaces a host: 403, an alert, and the host keeps its key', async () => {
  const agent = await enrollAgent(server, 'web-1')
  const token = await makeToken(server)

  const response = await enroll(server, { token, host: 'web-1', publicKey: newHostKey().publicKey })

  expect(response.status).toBe(403)
  expect((await server.openAlerts()).map(({ kind, host }) => `${kind} ${host}`)).toEqual(['enrollment-refused web-1'])
  await (await agent.connect()).close()
  const other = await enroll(server, { token, host: 'web-2', publicKey: newHostKey().publicKey })
  expect(other.status).toBe(201)
})

test('a host whom the answer did not reach asks again with its key and its used token, and is enrolled', async () => {
  const token = await makeToken(server)
  const { publicKey } = newHostKey()

  const statuses = []
  for (const key of [publicKey, publicKey, newHostKey().publicKey])
    statuses.push((await enroll(server, { token, host: 'web-1', publicKey: key })).status)
  const withoutToken = await enroll(server, { token: 'plumb_made-up-by-somebody', host: 'web-1', publicKey })

  expect(statuses).toEqual([201, 201, 403])
  expect(withoutToken.status).toBe(403)
})

test('removing the host ends the alert about it and lets it enroll again', async () => {
  await enrollAgent(server, 'web-1')
  await enroll(server, { token: await makeToken(server), host: 'web-1', publicKey: newHostKey().publicKey })
  expect(await server.openAlerts()).toHaveLength(1)

  expect((await server.delete('/api/v1/hosts/web-1')).status).toBe(200)

  expect(await server.openAlerts()).toEqual([])
  await enrollAgent(server, 'web-1')
})

test.each([
  ['no Ed25519 key', { host: 'web-1', publicKey: Buffer.from('not a key').toString('base64') }],
  ['a host name with a slash', { host: '../etc', publicKey: newHostKey().publicKey }],
  ['a host name as an object', { host: { __proto__: null }, publicKey: newHostKey().publicKey }],
  ['nothing', {}],
])('a request with %s is 400 and takes no use of the token', async (_what, change) => {
  const token = await makeToken(server)

  const response = await fetch(new URL('/api/v1/agents/enrol', server.url), {
    method: 'POST',
    body: JSON.stringify({ token, ...change }),
  })

  expect(response.status).toBe(400)
  expect((await enroll(server, { token, host: 'web-1', publicKey: newHostKey().publicKey })).status).toBe(201)
})

test('tokens are made by the operator alone', async () => {
  const address = new URL('/api/v1/enrolment-tokens', server.url)
  const bySync = await fetch(address, { method: 'POST', headers: { authorization: `Bearer ${server.syncToken}` } })
  const byNobody = await fetch(address, { method: 'POST' })

  expect([bySync.status, byNobody.status]).toEqual([401, 401])
})

test('no token is stored as it is', async () => {
  const token = await makeToken(server)
  await server.stop()

  const database = await readFile(`${server.data}/plumb.sqlite`)

  expect(database.includes(token)).toBe(false)
  await server.restart()
})

const fleetSchema = z.object({ hosts: z.array(z.object({ host: z.string() })) })
