import { expect, test } from 'vitest'
import type { HostComparison } from '../../../agent/plan/compare.ts'
import { waitingRemoval } from '../../../agent/plan/removal.ts'
import type { DesiredService } from '../../../shared/resource.ts'
import { applyIn, compareIn, desiredHost, file, makeWorld, service } from '../apply/world.ts'

const named = (...names: readonly string[]) => names.map((name) => service(name, [file(`/srv/${name}`, name)]))

async function comparedAfter(
  applied: readonly DesiredService[],
  next: readonly DesiredService[],
): Promise<HostComparison> {
  const world = makeWorld()
  try {
    await applyIn(world, desiredHost(applied))
    return await compareIn(world, desiredHost(next, '2'))
  } finally {
    world.remove()
  }
}

test.each([
  ['everything, of one service', named('a'), []],
  ['everything, of several', named('a', 'b', 'c', 'd'), []],
  ['more than half', named('a', 'b', 'c'), named('c')],
  ['more than half, though as many come', named('a', 'b', 'c'), named('c', 'd', 'e')],
])('a revision that removes %s waits for a word', async (_, applied, next) => {
  expect(waitingRemoval(await comparedAfter(applied, next))).toMatchObject({
    code: 'removal-waits',
    remedy: expect.stringContaining('plumb apply --allow-removal'),
  })
})

test.each([
  ['half of them', named('a', 'b'), named('b')],
  ['none', named('a'), named('a', 'b')],
  ['a first apply', [], named('a')],
  ['a new name only', named('a'), [service('b', [file('/srv/a', 'a')])]],
])('a revision that removes %s waits for nobody', async (_, applied, next) => {
  expect(waitingRemoval(await comparedAfter(applied, next))).toBeUndefined()
})

test('the services that would go are named', async () => {
  const { message } = waitingRemoval(await comparedAfter(named('a', 'b', 'c'), named('c'))) ?? { message: '' }
  expect(message).toContain('removes 2 of the 3 services of this host (a, b)')
})
