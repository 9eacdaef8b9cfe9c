// Planning with holds: on a real root and state directory, with plain desired services.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { isEmpty, type Plan } from '../../../agent/plan/plan.ts'
import { stepLines } from '../../../agent/plan/text.ts'
import type { Hold } from '../../../shared/report.ts'
import type { DesiredService } from '../../../shared/resource.ts'
import {
  applyIn,
  desiredHost,
  file,
  makeWorld,
  outcome,
  planIn,
  reportsIn,
  service,
  type World,
} from '../apply/world.ts'

const hold: Hold = { by: 'anna@web-1', why: 'the fix of this night', until: '2026-11-23T14:00:00.000Z' }
const held = (...names: readonly string[]) => ({ holdOf: (name: string) => (names.includes(name) ? hold : undefined) })

let world: World

beforeEach(() => {
  world = makeWorld()
})

afterEach(() => world.remove())

test('a held service is neither applied nor repaired nor removed, and its baseline stays', async () => {
  await applied([caddy('old'), service('gone', [file('/gone', 'x')])])
  edit('/caddy', 'edited')
  edit('/gone', 'edited')
  const next = desiredHost([caddy('new', { onDrift: 'repair' })], '2')

  const plan = await planIn(world, next, { repair: 'everything', ...held('caddy', 'gone') })
  expect(plan.services.map(({ steps, held: by }) => [steps, by])).toEqual([
    [[], hold],
    [[], hold],
  ])
  expect(isEmpty(plan)).toBe(true)
  const result = await applyIn(world, next, { repair: 'everything', ...held('caddy', 'gone') })

  expect(result.services).toEqual([
    { kind: 'held', service: 'gone', hold },
    { kind: 'held', service: 'caddy', hold },
  ])
  const { baselines } = world.state.baselines.read()
  expect([...baselines.values()].map(({ service: name, revision }) => [name, Number(revision)])).toEqual([
    ['caddy', 1],
    ['gone', 1],
  ])
})

test('what a held service drifted, and what is pending for it, is found all the same', async () => {
  await applied([caddy('old')])
  edit('/caddy', 'edited')

  const [report] = await reportsIn(world, desiredHost([caddy('new')], '2'))

  expect(report).toMatchObject({ findings: [{ resource: 'file:/caddy' }], pending: [{ resource: 'file:/caddy' }] })
})

test('when the hold is over, the policy of the service counts again', async () => {
  await applied([caddy('old')])
  edit('/caddy', 'edited')
  const repairing = desiredHost([caddy('old', { onDrift: 'repair' })], '2')

  expect(outcome(await applyIn(world, repairing, held('caddy')), 'caddy')?.kind).toBe('held')
  expect(outcome(await applyIn(world, repairing), 'caddy')?.kind).toBe('applied')
})

test('what comes after a held service with something pending waits and says why; so does what comes after that', async () => {
  await applied([caddy('old')])
  const app = service('app', [file('/app', 'x')], { after: [caddy('').name] })
  const top = service('top', [file('/top', 'x')], { after: [app.name] })
  const other = service('other', [file('/other', 'x')])

  const plan = await planIn(world, desiredHost([caddy('new'), app, top, other], '2'), held('caddy'))

  expect(lines(plan)).toEqual(['write /other (new)'])
  expect(waitsOf(plan, 'app')).toMatch(
    /^it waits: caddy, which it is after, is held by anna@web-1 until [-\d: ]+ UTC \(the fix of this night\)$/,
  )
  expect(waitsOf(plan, 'top')).toMatch(
    /^it waits: app, which it is after, waits for a service that is held by anna@web-1/,
  )
  const result = await applyIn(world, desiredHost([caddy('new'), app, top, other], '2'), held('caddy'))
  expect(outcome(result, 'app')).toMatchObject({ kind: 'skipped', reason: expect.stringContaining('it waits: caddy') })
})

test('what comes after a held service with nothing pending proceeds, also when that one drifted', async () => {
  await applied([caddy('old')])
  edit('/caddy', 'edited')
  const app = service('app', [file('/app', 'x')], { after: [caddy('').name] })

  expect(lines(await planIn(world, desiredHost([caddy('old'), app], '2'), held('caddy')))).toEqual(['write /app (new)'])
})

test('a file of a held service that moves to another one is left alone too', async () => {
  await applied([caddy('old')])
  const renamed = service('caddy2', [file('/caddy', 'new')])

  const plan = await planIn(world, desiredHost([renamed], '2'), held('caddy'))

  expect(lines(plan)).toEqual([])
  expect(waitsOf(plan, 'caddy2')).toMatch(/^it waits: it takes something over from caddy, which is held by anna@web-1/)
  expect(lines(await planIn(world, desiredHost([renamed], '2')))).toEqual(['write /caddy (content)'])
})

function caddy(text: string, more: Partial<DesiredService> = {}): DesiredService {
  return service('caddy', [file('/caddy', text)], more)
}

async function applied(services: readonly DesiredService[]): Promise<void> {
  await applyIn(world, desiredHost(services, '1'))
}

function edit(path: string, text: string): void {
  writeFileSync(join(world.root, path), text)
}

function lines(plan: Plan): readonly string[] {
  return plan.services.flatMap(({ steps }) => steps.flatMap(stepLines))
}

function waitsOf(plan: Plan, name: string): string | undefined {
  return plan.services.find(({ service: one }) => one === name)?.waits?.text
}
