import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import {
  drifted,
  enrollAgent,
  findingOf,
  type Receiver,
  reportOf,
  serviceOf,
  smallFleet,
  startReceiver,
  startTestServer,
  type TestServer,
} from '../kit.ts'

let server: TestServer
let receiver: Receiver

beforeEach(async () => {
  receiver = await startReceiver()
  const alerts = channel('alert_url')
  const files = { ...smallFleet, 'plumb.yaml': `${smallFleet['plumb.yaml']}${alerts}` }
  server = await startTestServer({ silentAfterSeconds: 90 }, { files, secrets: { alert_url: receiver.url } })
})

afterEach(async () => {
  await server.remove()
  await receiver.close()
})

test('a drift is one alert with its diff, sent once and resolved once, also across restarts', async () => {
  const agent = await enrollAgent(server, 'web-1')
  const line = await agent.connect()

  await line.report(drifted('web-1'))
  await receiver.count(1)
  await server.restart()
  const again = await agent.connect()
  await again.report(drifted('web-1'))
  await server.tick()
  await again.report(reportOf('web-1'))
  await receiver.count(2)
  await server.restart()
  await server.tick()

  const [opened, resolved, ...more] = receiver.bodies.map(message)
  expect(opened).toMatchObject({ event: 'opened', alert: { kind: 'drift', host: 'web-1', service: 'nginx' } })
  expect(opened?.alert.diff).toContain('-worker_processes 1;\n+worker_processes 9;')
  expect(resolved).toMatchObject({ event: 'resolved', alert: { id: opened?.alert.id } })
  expect(more).toEqual([])
  expect(await server.openAlerts()).toEqual([])
})

test('a diff that changes while the alert is open is told in one update, however often it changes', async () => {
  const line = await (await enrollAgent(server, 'web-1')).connect()
  await line.report(drifted('web-1', 'worker_processes 2;'))
  await receiver.count(1)

  await line.report(drifted('web-1', 'worker_processes 3;'))
  await server.tick()
  await line.report(drifted('web-1', 'worker_processes 4;'))
  await server.tick()
  server.clock.advance(31)
  await server.tick()

  expect(receiver.bodies.map(message).map(({ event }) => event)).toEqual(['opened', 'updated'])
  expect(message(receiver.bodies[1] ?? '').alert.diff).toContain('+worker_processes 4;')
  expect(await server.openAlerts()).toHaveLength(1)
})

test('a host that goes offline is an alert, and its next word resolves it', async () => {
  const agent = await enrollAgent(server, 'web-1')
  const line = await agent.connect()
  await line.report(reportOf('web-1'))
  await line.close()

  server.clock.advance(89)
  expect(await server.openAlerts()).toEqual([])
  server.clock.advance(2)
  expect((await server.openAlerts()).map(({ title }) => title)).toEqual(['web-1 is offline'])

  const back = await agent.connect()
  back.send({ type: 'heartbeat', at: '2026-11-23T03:02:00.000Z' })
  await receiver.count(2)
  expect(receiver.bodies.map(message).map(({ event }) => event)).toEqual(['opened', 'resolved'])
})

test('an agent that answers and finishes no check is an alert, until it has finished one', async () => {
  const agent = await enrollAgent(server, 'web-1')
  const line = await agent.connect()
  await line.report(reportOf('web-1'))
  const again = async (minutes: number) => {
    for (let minute = 0; minute < minutes; minute += 1) {
      server.clock.advance(60)
      await (await agent.call()).next('welcome')
    }
  }
  await again(14)
  expect(await server.openAlerts()).toEqual([])
  await again(1)
  expect((await server.openAlerts()).map(({ title }) => title)).toEqual(['web-1: no check finishes'])
  await server.restart()
  const back = await agent.connect()
  expect(await server.openAlerts()).toHaveLength(1)

  back.send({ type: 'heartbeat', at: server.clock.now().toISOString() })
  await receiver.count(2)
  expect(await server.openAlerts()).toEqual([])
})

test('a host that enrolls at a server that runs for days is not offline while it is installed, and is when it never comes', async () => {
  server.clock.advance(3 * 24 * 3600)
  const agent = await enrollAgent(server, 'web-1')

  server.clock.advance(89)
  expect(await server.openAlerts()).toEqual([])
  server.clock.advance(2)
  expect((await server.openAlerts()).map(({ title }) => title)).toEqual(['web-1 is offline'])

  await (await agent.connect()).report(reportOf('web-1'))
  await receiver.count(2)
  expect(await server.openAlerts()).toEqual([])
})

test('a restarted server gives every host the time to come back, and remembers who was offline before', async () => {
  const agent = await enrollAgent(server, 'web-1')
  await enrollAgent(server, 'web-2')
  const line = await agent.connect()
  server.clock.advance(91)
  line.send({ type: 'heartbeat', at: '2026-11-23T03:01:31.000Z' })
  await line.report(reportOf('web-1'))
  expect((await server.openAlerts()).map(({ host }) => host)).toEqual(['web-2'])

  await server.stop()
  server.clock.advance(3600)
  await server.restart()

  expect((await server.openAlerts()).map(({ host }) => host)).toEqual(['web-2'])
  server.clock.advance(91)
  expect((await server.openAlerts()).map(({ hosts }) => hosts)).toEqual([['web-1', 'web-2']])
})

test('a secret never reaches a log, a page, the API or the database', async () => {
  const line = await (await enrollAgent(server, 'web-1')).connect()
  receiver.answerWith(500)
  await line.report(drifted('web-1'))
  await receiver.count(1)
  for (let attempt = 0; attempt < 8; attempt += 1) {
    server.clock.advance(700)
    await server.tick()
  }
  const canary = new URL(receiver.url).port

  const shown = await Promise.all(
    ['/', '/alerts', '/hosts/web-1', '/api/v1/fleet', '/api/v1/alerts'].map(async (path) =>
      (await server.get(path)).text(),
    ),
  )

  const stored = ['plumb.sqlite', 'plumb.sqlite-wal'].map((name) => readFileSync(`${server.data}/${name}`, 'latin1'))

  expect(receiver.bodies.length).toBeGreaterThan(5)
  expect(shown.join('')).toContain('Messages are not getting through')
  expect(stored.join('')).toContain('alert_url')
  for (const text of [...shown, ...stored, server.log()]) expect(text).not.toContain(`127.0.0.1:${canary}`)
})

test('a missing secret is said, and what waited is sent once it is there', async () => {
  await server.remove()
  const alerts = channel('other_url')
  const files = { ...smallFleet, 'plumb.yaml': `${smallFleet['plumb.yaml']}${alerts}` }
  server = await startTestServer({}, { files })
  const line = await (await enrollAgent(server, 'web-1')).connect()
  await line.report(drifted('web-1'))

  const [problem] = (await server.openAlerts()).filter(({ kind }) => kind === 'channel-unusable')
  expect(problem?.text).toContain('secrets.other_url')

  await writeFile(`${server.data}/secrets/other_url`, receiver.url, { mode: 0o600 })
  server.clock.advance(20)
  await server.tick()
  await receiver.count(1)
  expect(message(receiver.bodies[0] ?? '')).toMatchObject({ event: 'opened', alert: { kind: 'drift' } })
  expect((await server.openAlerts()).map(({ kind }) => kind)).toEqual(['drift'])
})

function channel(secret: string): string {
  return `alerts:\n  - { to: webhook, url: "\${{ secrets.${secret} }}" }\n`
}

const messageSchema = z.object({
  event: z.string(),
  alert: z.object({
    id: z.number(),
    kind: z.string(),
    host: z.string().optional(),
    service: z.string().optional(),
    diff: z.string().optional(),
  }),
})

function message(body: string): z.infer<typeof messageSchema> {
  return messageSchema.parse(JSON.parse(body))
}

test('made-up services of one host are one message, and the drift of another is told all the same', async () => {
  const rogue = await (await enrollAgent(server, 'web-1')).connect()
  const good = await (await enrollAgent(server, 'web-2')).connect()
  const revision = await server.fleet.head()
  for (let round = 0; round < 6; round += 1) {
    const findings = round % 2 === 0 ? [findingOf('/etc/x', 'one')] : []
    const services = Array.from({ length: 100 }, (_, n) => serviceOf(`made-up-${n}`, { findings }))
    await rogue.report(reportOf('web-1', { revision, services: [serviceOf('nginx'), ...services] }))
    await server.tick()
  }

  await good.report(drifted('web-2'))
  await server.tick()
  server.clock.advance(11)
  await server.tick()
  await receiver.count(2)

  expect(receiver.bodies.map(message).map(({ event, alert }) => `${event} ${alert.kind} ${alert.host}`)).toEqual([
    'opened services-not-given web-1',
    'opened drift web-2',
  ])
})

test('a service that a commit gives to a host is judged from then on', async () => {
  const line = await (await enrollAgent(server, 'web-1')).connect()
  const old = await server.fleet.head()
  await line.report(
    reportOf('web-1', { revision: old, services: [serviceOf('extra', { findings: [findingOf('/etc/x', 'one')] })] }),
  )
  await server.tick()
  expect((await server.openAlerts()).map(({ kind }) => kind)).toEqual(['services-not-given'])

  await server.fleet.commit({
    'plumb.yaml': `version: 1\nhosts:\n  web-1: { services: [nginx, extra] }\n${channel('alert_url')}`,
    'services/extra/README.md': '# extra\n',
  })
  expect((await server.post('/api/v1/sync')).status).toBe(200)

  expect((await server.openAlerts()).map(({ kind }) => kind)).toEqual(['drift'])
})
