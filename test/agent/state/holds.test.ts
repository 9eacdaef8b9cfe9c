import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type HoldStore, heldAsNow, holdStore } from '../../../agent/state/holds.ts'
import type { HoldTarget, ServerHold } from '../../../shared/hold.ts'
import { serviceNameSchema } from '../../../shared/names.ts'

const hour = 3600
const caddy = serviceNameSchema.parse('caddy')
const base = serviceNameSchema.parse('base')

let directory: string
let now: Date
let holds: HoldStore

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'plumb-holds-'))
  now = new Date('2026-11-23T12:00:00.000Z')
  holds = opened()
})

afterEach(() => rmSync(directory, { recursive: true, force: true }))

test('a hold is in force until its time is over, by whichever process it is read', async () => {
  await hold(caddy, 2)

  expect(opened().read().of(caddy)).toEqual({
    by: 'anna@web-1',
    why: 'the fix of this night',
    since: '2026-11-23T12:00:00.000Z',
    until: '2026-11-23T14:00:00.000Z',
    origin: 'host',
    targets: ['caddy'],
  })
  expect(opened().read().of(base)).toBeUndefined()
  pass(2)
  expect(holds.read()).toMatchObject({ active: [], ended: [{ service: 'caddy', by: 'anna@web-1' }] })
  expect(holds.read().of(caddy)).toBeUndefined()
})

test('one hold for a service: the next takes its place, and an ended one is still told', async () => {
  await hold(caddy, 1)
  const { replaced } = await holds.add({ service: caddy, by: 'ben@web-1', why: 'longer', seconds: 3 * hour })
  expect(replaced).toMatchObject({ by: 'anna@web-1' })
  expect(holds.read().active).toMatchObject([{ by: 'ben@web-1' }])

  pass(3)
  await hold(caddy, 1)
  expect(holds.read()).toMatchObject({ active: [{ by: 'anna@web-1' }], ended: [{ by: 'ben@web-1' }] })
})

test('a hold on all services covers each, and the one that ends last counts', async () => {
  await hold(caddy, 1)
  await hold('*', 2)

  expect(holds.read().of(base)?.until).toBe('2026-11-23T14:00:00.000Z')
  expect(holds.read().of(caddy)?.until).toBe('2026-11-23T14:00:00.000Z')
})

test('a released hold is gone without a trace, and only a hold of that very name is released', async () => {
  await hold(caddy, 2)

  expect(await holds.release('*', 'ben@web-1')).toEqual([])
  expect(await holds.release(caddy, 'ben@web-1')).toMatchObject([{ service: 'caddy' }])
  expect(holds.read()).toMatchObject({ active: [], ended: [] })
})

test("the server's list is kept beside a person's hold; what leaves the list is released, the person's is not", async () => {
  await hold(caddy, 1)
  expect(await holds.replaceServerHolds([asked('one', caddy, 2), asked('two', base, 2)])).toBe(true)
  expect(await holds.replaceServerHolds([asked('one', caddy, 2), asked('two', base, 2)])).toBe(false)
  expect(holds.read().of(base)).toMatchObject({ origin: 'server', id: 'two' })

  expect(await holds.replaceServerHolds([])).toBe(true)

  expect(holds.read().active).toMatchObject([{ service: 'caddy', origin: 'host' }])
  expect(holds.read().ended).toEqual([])
})

test("a hold of the server whose time is over here was ended by time, whether the server's list has it or not", async () => {
  await holds.replaceServerHolds([asked('one', caddy, 2)])
  pass(2)

  await holds.replaceServerHolds([])

  expect(holds.read().ended).toMatchObject([{ id: 'one', service: 'caddy' }])
})

test("a hold of the server that is released here stays so while the server's list has it", async () => {
  await holds.replaceServerHolds([asked('one', caddy, 2)])

  await holds.release(caddy, 'ben@web-1')
  await holds.replaceServerHolds([asked('one', caddy, 2)])

  expect(holds.read().of(caddy)).toBeUndefined()
  expect(holds.read().ended).toMatchObject([{ id: 'one', releasedBy: 'ben@web-1' }])
  await holds.replaceServerHolds([])
  expect(holds.read().ended).toEqual([])
})

test('the server can hold for 14 days, and make no hold that is known longer', async () => {
  await holds.replaceServerHolds([
    asked('long', caddy, 14 * 24),
    asked('absurd', base, 15 * 24),
    asked('over', base, -1),
  ])
  expect(holds.read().active.map(({ id }) => id)).toEqual(['long'])

  pass(24)
  await holds.replaceServerHolds([asked('long', caddy, 14 * 24)])
  expect(holds.read().active).toMatchObject([{ until: '2026-12-07T12:00:00.000Z' }])
})

test('each end is logged once, also across restarts; a release is no end', async () => {
  await hold(caddy, 1)
  await hold(base, 1)
  await holds.release(base, 'ben@web-1')
  expect(await holds.takeUnlogged()).toEqual([])
  pass(1)

  expect(await holds.takeUnlogged()).toMatchObject([{ service: 'caddy' }])
  expect(await opened().takeUnlogged()).toEqual([])
  expect(holds.read().ended).toMatchObject([{ service: 'caddy' }])
})

test('a clock that is set back holds again rather than letting go', async () => {
  await hold(caddy, 1)
  now = new Date('2020-01-01T00:00:00Z')

  expect(holds.read().of(caddy)).toBeDefined()
})

test('ended holds are forgotten after a while', async () => {
  await hold(caddy, 1)
  pass(31 * 24)
  await hold(base, 1)

  expect(holds.read().ended).toEqual([])
})

test('what is no record of holds is set aside and told, once', async () => {
  const path = join(directory, 'holds.json')
  writeFileSync(path, '[{"service":"caddy","until":"tomorrow"}]')

  expect(holds.read()).toMatchObject({ active: [], problems: [{ code: 'state-corrupt', where: { file: path } }] })
  expect(holds.read().problems).toEqual([])
  expect(existsSync(path)).toBe(false)
  expect(readFileSync(`${path}.corrupt`, 'utf8')).toContain('tomorrow')
})

test('what was seen last is shown with the holds of now', async () => {
  const seen = { findings: [], pending: [] }
  const over = { by: 'ben@web-1', why: 'earlier', until: '2026-11-23T11:00:00.000Z' }
  await hold(caddy, 1)

  const [one, other] = heldAsNow(
    [
      { ...seen, service: caddy },
      { ...seen, service: base, hold: over },
    ],
    holds.read(),
  )

  expect(one?.hold?.by).toBe('anna@web-1')
  expect(other).toEqual({ ...seen, service: base })
})

test('holds that are made at the same time are all kept', async () => {
  const names = Array.from({ length: 10 }, (_, index) => serviceNameSchema.parse(`s${index}`))

  await Promise.all(names.map((name) => hold(name, 1)))

  expect(holds.read().active).toHaveLength(10)
})

function opened(): HoldStore {
  return holdStore(directory, () => now)
}

function hold(service: HoldTarget, hours: number) {
  return holds.add({ service, by: 'anna@web-1', why: 'the fix of this night', seconds: hours * hour })
}

function pass(hours: number): void {
  now = new Date(now.getTime() + hours * hour * 1000)
}

function asked(id: string, service: HoldTarget, hours: number): ServerHold {
  const until = new Date(now.getTime() + hours * hour * 1000).toISOString()
  return { id, service, by: 'ines@desk', why: 'the authority is down', since: now.toISOString(), until }
}
