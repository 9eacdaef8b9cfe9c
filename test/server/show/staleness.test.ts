// What hosts reported is said to be old as soon as it may be: without a connection, and without a check.
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { type AgentLine, enrollAgent, reportOf, startTestServer, type TestServer } from '../kit.ts'

let server: TestServer

beforeEach(async () => {
  server = await startTestServer()
})

afterEach(() => server.remove())

const asked = { timeout: 120_000 }
const start = '2026-11-23T03:00:00.000Z'

test('a host that is connected and has just reported is current', async () => {
  const line = await reporting()
  expect(await staleness()).toEqual({ fleet: undefined, host: undefined, service: undefined })
  await line.close()
})

test('a host is stale from its last check on as soon as its connection ends, before it counts as offline', async () => {
  const line = await reporting()
  server.clock.advance(30)
  await line.close()
  await vi.waitFor(async () => expect(await staleness()).toEqual({ fleet: start, host: start, service: start }), asked)
  expect(await json('/api/v1/hosts/web-1')).toMatchObject({ state: 'in-sync', connected: false })
})

test('a host that is connected and finishes no check is stale, until it says that one found nothing new', async () => {
  const line = await reporting()
  server.clock.advance(170)
  expect((await staleness()).host).toBeUndefined()
  server.clock.advance(20)
  expect(await staleness()).toEqual({ fleet: start, host: start, service: start })
  line.send({ type: 'heartbeat', at: server.clock.now().toISOString() })
  await vi.waitFor(async () => expect((await staleness()).host).toBeUndefined(), asked)
  await line.close()
})

test('a host that never reported has nothing that could be old', async () => {
  const line = await (await enrollAgent(server, 'web-1')).connect()
  await line.close()
  server.clock.advance(3600)
  expect(await staleness()).toEqual({ fleet: undefined, host: undefined, service: undefined })
})

async function reporting(): Promise<AgentLine> {
  const line = await (await enrollAgent(server, 'web-1')).connect()
  await line.report(reportOf('web-1'))
  return line
}

const part = z.object({ host: z.string(), staleSince: z.string().optional() })
const shown = z.object({ hosts: z.array(part) })

async function staleness() {
  const [fleet, host, service] = await Promise.all(
    ['fleet', 'hosts/web-1', 'services/nginx'].map((path) => json(`/api/v1/${path}`)),
  )
  const web1 = (view: unknown) => shown.parse(view).hosts.find((one) => one.host === 'web-1')?.staleSince
  return { fleet: web1(fleet), host: part.parse(host).staleSince, service: web1(service) }
}

async function json(path: string): Promise<unknown> {
  return await (await server.get(path)).json()
}
