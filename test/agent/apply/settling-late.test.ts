// What ends between the moment it is up and the first look of the settle time, or near its end: each is done by the test at
// exactly that moment. Containers and units are fakes.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { applyPlan } from '../../../agent/apply/apply.ts'
import { settled } from '../../../agent/apply/stability.ts'
import { isInSync } from '../../../agent/plan/compare.ts'
import { createRun } from '../../../shared/platform/run.ts'
import type { DesiredHost } from '../../../shared/resource.ts'
import { type FakeHost, fakeHost, runOn } from '../../faults/fakes/fake-host.ts'
import { project } from '../../faults/fleet.ts'
import { compareIn, contents, desiredHost, makeWorld, outcome, planIn, service, type World } from './world.ts'

let world: World
let host: FakeHost

beforeEach(() => {
  const empty = makeWorld()
  host = fakeHost(empty.root)
  const run = runOn(host, createRun({ graceSeconds: 0.3 }))
  world = { ...empty, host: makeWorld({ root: empty.root, run, capabilities: { containers: true } }).host, run }
})
afterEach(() => world.remove())

const shop = (version: string) =>
  desiredHost(
    [service('shop', project('shop', { web: `web:${version}`, db: 'db:1' }, {}), { settleSeconds: 1 })],
    version,
  )

const dbNow = () => [...host.containers.values()].find((container) => container.service === 'db')

async function apply(desired: DesiredHost, onProgress: (summary: string) => void = () => undefined) {
  const { state } = world
  const lock = await state.lock({ purpose: 'test', now: new Date() })
  try {
    const plan = await planIn(world, desired)
    const options = { host: world.host, state, lock, contents, now: () => new Date() }
    return await applyPlan(plan, { ...options, onProgress: ({ summary }) => onProgress(summary) })
  } finally {
    lock.release()
  }
}

test.each([
  ['crashes', 5, /shop-db-1 is exited \(exit code 5\)/],
  ['ends without an error, though it should run', 0, /shop-db-1 is exited \(exit code 0\)/],
])('a container that %s as soon as its project is up takes the update back', async (_, exitCode, fault) => {
  await apply(shop('1'))

  const result = await apply(shop('2'), (summary) => {
    const db = dbNow()
    if (summary.startsWith('brought up shop') && db !== undefined) Object.assign(db, { state: 'exited', exitCode })
  })

  expect(outcome(result, 'shop')).toMatchObject({
    kind: 'failed',
    failure: { step: 'stay up for 1 s', problem: { message: expect.stringMatching(fault) } },
  })
  expect(dbNow()).toMatchObject({ state: 'running' })
  expect(isInSync(await compareIn(world, shop('1')))).toBe(true)
})

test('what falls over just before the settle time ends is seen: the last look begins after the end', async () => {
  const endsAt = performance.now() + 50
  const looks: number[] = []
  const falls = async () => {
    looks.push(performance.now())
    return performance.now() >= endsAt ? 'it fell over' : undefined
  }
  await expect(settled({ kind: 'settling', seconds: 1, endsAt, watches: [falls] })).rejects.toThrow(
    /did not stay up for 1 s: it fell over/,
  )
  expect(looks.at(-1)).toBeGreaterThanOrEqual(endsAt)
})

test('a look that lasts longer than what is left of the settle time is followed by one more', async () => {
  const endsAt = performance.now() + 20
  const begun: number[] = []
  const slow = async () => {
    begun.push(performance.now())
    if (begun.length === 1) await new Promise((resolve) => setTimeout(resolve, 60))
    return undefined
  }
  await settled({ kind: 'settling', seconds: 1, endsAt: performance.now() - 1, watches: [slow] })
  expect(begun).toHaveLength(1)
  begun.length = 0
  await settled({ kind: 'settling', seconds: 1, endsAt, watches: [slow] })
  expect(begun.at(-1)).toBeGreaterThanOrEqual(endsAt)
})
