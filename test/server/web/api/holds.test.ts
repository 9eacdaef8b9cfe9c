// Holds over the API, to the hosts, and their end as an alert: a whole server, and agents that speak the protocol.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { serviceNameSchema } from '../../../../shared/names.ts'
import type { EndedHold, Report } from '../../../../shared/report.ts'
import {
  enrollAgent,
  findingOf,
  type Receiver,
  reportOf,
  serviceOf,
  smallFleet,
  startReceiver,
  startTestServer,
  type TestServer,
} from '../../kit.ts'

const asked = { service: 'nginx', for: '2h', why: 'moving the site', by: 'ines@desk' }

let server: TestServer
let receiver: Receiver

beforeEach(async () => {
  receiver = await startReceiver()
  const files = {
    ...smallFleet,
    'plumb.yaml': `${smallFleet['plumb.yaml']}alerts:\n  - { to: webhook, url: "\${{ secrets.alert_url }}" }\n`,
  }
  server = await startTestServer({}, { files, secrets: { alert_url: receiver.url } })
})

afterEach(async () => {
  await server.remove()
  await receiver.close()
})

test('a hold reaches every connected host that it names, and later those that were away', async () => {
  const one = await (await enrollAgent(server, 'web-1')).connect()
  const away = await enrollAgent(server, 'web-2')
  expect(await one.next('holds')).toEqual({ type: 'holds', holds: [] })

  const response = await server.post('/api/v1/holds', { ...asked, hosts: ['web-*'] })

  expect(response.status).toBe(201)
  expect(await response.json()).toMatchObject({
    connected: 1,
    hold: {
      services: ['nginx'],
      patterns: ['web-*'],
      by: 'ines@desk',
      until: '2026-11-23T05:00:00.000Z',
      hosts: [
        { host: 'web-1', state: 'asked' },
        { host: 'web-2', state: 'asked' },
      ],
    },
  })
  const { holds } = await one.next('holds')
  expect(holds).toMatchObject([{ service: 'nginx', why: 'moving the site', since: '2026-11-23T03:00:00.000Z' }])
  await server.restart()
  const two = await away.connect()
  expect((await two.next('holds')).holds).toEqual(holds)
})

test('a hold is released for one host or for all, and each is told what is left', async () => {
  const [one, two] = [
    await (await enrollAgent(server, 'web-1')).connect(),
    await (await enrollAgent(server, 'web-2')).connect(),
  ]
  const id = await place(asked)
  for (const line of [one, two]) while ((await line.next('holds')).holds.length === 0);

  expect((await server.delete(`/api/v1/holds/${id}/hosts/web-2`)).status).toBe(200)
  expect((await two.next('holds')).holds).toEqual([])
  expect((await one.next('holds')).holds).toHaveLength(1)
  expect(await holds()).toMatchObject([{ id, hosts: [{ host: 'web-1' }] }])

  expect((await server.delete(`/api/v1/holds/${id}`)).status).toBe(200)
  expect((await one.next('holds')).holds).toEqual([])
  expect(await holds()).toEqual([])
  expect((await server.delete(`/api/v1/holds/${id}`)).status).toBe(404)
})

test('the next hold of the same service and hosts takes the place of the first', async () => {
  await enrollAgent(server, 'web-1')
  await place(asked)
  const id = await place({ ...asked, for: '4h' })

  expect(await holds()).toMatchObject([{ id, until: '2026-11-23T07:00:00.000Z' }])
})

test('a hold is in force where the host says so, and a person on a host holds beside it', async () => {
  const line = await (await enrollAgent(server, 'web-1')).connect()
  const id = await place(asked)
  const hold = { by: 'ines@desk', why: 'moving the site', until: '2026-11-23T05:00:00.000Z', origin: 'server' as const }
  await line.report(reportOf('web-1', { services: [serviceOf('nginx', { hold: { ...hold, id } })] }))
  expect(await holds()).toMatchObject([{ id, hosts: [{ host: 'web-1', state: 'in-force' }] }])

  const own = { by: 'anna@web-1', why: 'a fix', until: '2026-11-23T04:00:00.000Z', origin: 'host' as const }
  const released = { ...endedHold({ id, releasedBy: 'anna@web-1' }) }
  await line.report(reportOf('web-1', { services: [serviceOf('nginx', { hold: own })], endedHolds: [released] }))
  expect(await holds()).toMatchObject([
    { by: 'anna@web-1', services: ['nginx'], hosts: [{ host: 'web-1', state: 'in-force' }] },
    { id, hosts: [{ host: 'web-1', state: 'released', releasedBy: 'anna@web-1' }] },
  ])
})

test('hosts end a hold by their own clocks: one that is over here stays in their lists for a while', async () => {
  const agent = await enrollAgent(server, 'web-1')
  const id = await place(asked)
  server.clock.advance(3 * 3600)

  expect(await holds()).toEqual([])
  expect((await server.delete(`/api/v1/holds/${id}`)).status).toBe(404)
  expect((await (await agent.connect()).next('holds')).holds).toMatchObject([{ id }])
})

test('viewers, the sync token and a host cannot hold; where viewers must sign in they cannot look either', async () => {
  await enrollAgent(server, 'web-1')
  const id = await place(asked)
  await server.restart({ viewers: 'signed-in' })
  const strangers = [{}, { authorization: `Bearer ${server.syncToken}` }, { authorization: 'Bearer operator_guessed' }]
  for (const headers of strangers) {
    for (const [method, path] of [
      ['POST', '/api/v1/holds'],
      ['DELETE', `/api/v1/holds/${id}`],
      ['DELETE', `/api/v1/holds/${id}/hosts/web-1`],
      ['GET', '/api/v1/holds'],
    ] as const) {
      const body = method === 'POST' ? { body: JSON.stringify(asked) } : {}
      expect((await fetch(new URL(path, server.url), { method, headers, ...body })).status, path).toBe(401)
    }
  }
  expect(await holds()).toHaveLength(1)
})

test.each([
  ['without a reason', { why: '' }, 400, 'why'],
  ['longer than 14 days', { for: '15d' }, 400, 'at most 14d'],
  ['with a key that nobody knows', { command: 'id' }, 400, 'command'],
  ['of a service that nobody has', { service: 'ngnix' }, 400, 'There is no service \\"ngnix\\".'],
  ['on hosts that nobody enrolled', { hosts: ['db-*'] }, 400, 'No enrolled host is named db-*.'],
])('a hold %s is refused', async (_what, change, status, message) => {
  await enrollAgent(server, 'web-1')

  const response = await server.post('/api/v1/holds', { ...asked, ...change })

  expect(response.status).toBe(status)
  expect(await response.text()).toContain(message)
  expect(await holds()).toEqual([])
})

test('there are at most so many holds as one message can carry', async () => {
  await enrollAgent(server, 'web-1')
  for (let count = 0; count < 200; count += 1) await place({ ...asked, hosts: ['web-1', `x${count}`] })

  expect((await server.post('/api/v1/holds', asked)).status).toBe(409)
})

test('the end of a hold is one alert: open while something differs, and resolved with the report that is in sync', async () => {
  const agent = await enrollAgent(server, 'web-1')
  const line = await agent.connect()
  await line.report(atEnd({ findings: [findingOf('/etc/nginx/nginx.conf', 'x')] }))

  expect((await server.openAlerts()).map(({ kind }) => kind).sort()).toEqual(['drift', 'hold-expired'])
  await server.restart()
  await server.tick()
  expect((await events()).filter(({ alert }) => alert.kind === 'hold-expired')).toHaveLength(1)

  const again = await agent.connect()
  await again.report(atEnd())
  expect(await server.openAlerts()).toEqual([])
  await again.report(atEnd({ findings: [findingOf('/etc/nginx/nginx.conf', 'y')] }))
  expect((await server.openAlerts()).map(({ kind }) => kind)).toEqual(['drift'])
  expect((await events()).filter(({ alert }) => alert.kind === 'hold-expired').map(({ event }) => event)).toEqual([
    'opened',
    'resolved',
  ])
})

test('the end of a hold on a service in sync is told all the same, once, and is over with that', async () => {
  const line = await (await enrollAgent(server, 'web-1')).connect()
  await line.report(atEnd())
  expect(await server.openAlerts()).toEqual([])
  await line.report({ ...atEnd(), problems: [{ code: 'internal', message: 'x' }] })
  await server.tick()

  const told = (await events()).filter(({ alert }) => alert.kind === 'hold-expired')
  expect(told.map(({ event }) => event)).toEqual(['opened', 'resolved'])
  expect(told[0]?.alert.text).toContain('Nothing differed when it ended.')
})

test('a hold that ended while the server was down is told when the host is back', async () => {
  const agent = await enrollAgent(server, 'web-1')
  const line = await agent.connect()
  await line.report(reportOf('web-1', { services: [serviceOf('nginx', { hold: endedHold() })] }))
  await server.stop()
  server.clock.advance(7200)
  await server.restart()

  await (await agent.connect()).report(atEnd())
  await server.tick()

  expect((await events()).filter(({ alert }) => alert.kind === 'hold-expired').map(({ event }) => event)).toEqual([
    'opened',
    'resolved',
  ])
})

function endedHold(change: Partial<EndedHold> = {}): EndedHold {
  return {
    service: serviceNameSchema.parse('nginx'),
    by: 'ines@desk',
    why: 'moving the site',
    since: '2026-11-23T01:00:00.000Z',
    until: '2026-11-23T03:00:00.000Z',
    origin: 'host',
    ...change,
  }
}

function atEnd(change: Parameters<typeof serviceOf>[1] = {}): Report {
  return reportOf('web-1', { services: [serviceOf('nginx', change)], endedHolds: [endedHold()] })
}

async function place(request: object): Promise<string> {
  const response = await server.post('/api/v1/holds', request)
  expect(response.status).toBe(201)
  return z.object({ hold: z.object({ id: z.string() }) }).parse(await response.json()).hold.id
}

async function holds(): Promise<unknown> {
  return (await server.get('/api/v1/holds')).json()
}

const eventSchema = z.object({ event: z.string(), alert: z.object({ kind: z.string(), text: z.string() }) })

/** What was sent so far. */
async function events() {
  await server.tick()
  return receiver.bodies.map((body) => eventSchema.parse(JSON.parse(body)))
}
