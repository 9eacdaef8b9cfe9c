// A host's clock that is wrong is noticed by what its messages say, and what it said long ago is not taken for a wrong clock.
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import {
  type AgentLine,
  enrollAgent,
  findingOf,
  reportOf,
  serviceOf,
  startTestServer,
  type TestServer,
} from '../kit.ts'

let server: TestServer
let line: AgentLine

beforeEach(async () => {
  server = await startTestServer()
  line = await (await enrollAgent(server, 'web-1')).connect()
})
afterEach(() => server.remove())

const resource = 'file:/etc/nginx/nginx.conf'
const hour = 3600
/** Seconds from the server's clock. */
const at = (seconds: number) => new Date(server.clock.now().getTime() + seconds * 1000).toISOString()

test.each([
  ['a report of later', 'report', 5 * hour, 5 * hour],
  ['a report that had to wait', 'report', -5 * hour, undefined],
  ['a report of now', 'report', 110, undefined],
  ['a heartbeat of later', 'heartbeat', 130, 130],
  ['a heartbeat of earlier', 'heartbeat', -5 * hour, -5 * hour],
  ['a heartbeat of now', 'heartbeat', -110, undefined],
] as const)('after %s by a %s, %i s from now, the clock is ahead by %s', async (_what, type, seconds, ahead) => {
  await line.report(reported(at(type === 'report' ? seconds : 0)))
  if (type === 'heartbeat') line.send({ type, at: at(seconds) })

  await shows(ahead)
  const page = await (await server.get('/hosts/web-1')).text()
  expect(page.includes('by its own clock')).toBe(ahead !== undefined)
})

test('a corrected clock counts as correct with the next message', async () => {
  await line.report(reported(at(5 * hour)))
  await shows(5 * hour)
  line.send({ type: 'heartbeat', at: at(0) })
  await shows(undefined)
})

test('a text that is no time says nothing of a clock', async () => {
  await line.report(reported('soon'))
  await shows(undefined)
})

function reported(at: string) {
  const findings = [findingOf('/etc/nginx/nginx.conf', 'x')]
  return reportOf('web-1', { at, services: [serviceOf('nginx', { findings })] })
}

async function shows(ahead: number | undefined): Promise<void> {
  await vi.waitFor(
    async () => {
      expect((await json('/api/v1/hosts/web-1'))['clockAheadSeconds']).toBe(ahead)
      const drift = await (await server.get(`/hosts/web-1/drift?resource=${resource}`)).text()
      expect(drift.includes('The clock of web-1 is')).toBe(ahead !== undefined)
    },
    { timeout: 120_000 },
  )
}

async function json(path: string): Promise<Record<string, unknown>> {
  return (await (await server.get(path)).json()) as Record<string, unknown>
}
