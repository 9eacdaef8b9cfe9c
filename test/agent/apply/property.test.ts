import { lstatSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isInSync } from '../../../agent/plan/compare.ts'
import { isEmpty } from '../../../agent/plan/plan.ts'
import type { Resource } from '../../../shared/resource.ts'
import { edit, make, resources } from './arbitrary.ts'
import { applyIn, compareIn, desiredHost, makeWorld, outcome, planIn, service, treeOf } from './world.ts'

const fleet = (revision: number, own: readonly Resource[], checks: 'hold' | 'fail' = 'hold') =>
  desiredHost(
    [service('web', own, checks === 'hold' ? {} : { checks: [{ kind: 'run', command: 'false' }] })],
    String(revision),
  )

/** Real files are made and synced for every run. */
const runs = { numRuns: 80, endOnFailure: true }

test('whatever was applied and whatever somebody did, an apply ends in sync or puts everything back', {
  timeout: 600_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(resources, fc.array(edit, { maxLength: 5 }), resources, async (first, edits, second) => {
      const world = makeWorld()
      try {
        await applyIn(world, fleet(1, first))
        for (const one of edits) make(world, one)
        const before = treeOf(world.root)
        const result = outcome(await applyIn(world, fleet(2, second), { repair: 'everything' }))
        if (result?.kind === 'failed') {
          expect(treeOf(world.root)).toEqual(before)
          expect(result.failure.problem.message).toMatch(/in the way|not a directory/)
          return
        }
        expect(isInSync(await compareIn(world, fleet(2, second)))).toBe(true)
        expect(isEmpty(await planIn(world, fleet(2, second), { repair: 'everything' }))).toBe(true)
        const after = treeOf(world.root)
        expect(after.join('\n')).not.toContain('.plumb-')
        expect(outcome(await applyIn(world, fleet(2, second), { repair: 'everything' }))?.kind).toBe('unchanged')
        expect(treeOf(world.root)).toEqual(after)
      } finally {
        world.remove()
      }
    }),
    runs,
  )
})

test('an apply that fails at its end restores every file byte for byte', { timeout: 600_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(resources, fc.array(edit, { maxLength: 5 }), resources, async (first, edits, second) => {
      const world = makeWorld({ capabilities: { commands: true } })
      try {
        await applyIn(world, fleet(1, first))
        for (const one of edits) make(world, one)
        const before = treeOf(world.root)
        const result = outcome(await applyIn(world, fleet(2, second, 'fail'), { repair: 'everything' }))
        expect(['failed', 'unchanged']).toContain(result?.kind)
        expect(treeOf(world.root)).toEqual(before)
        expect(world.state.journal.read()).toEqual([])
        expect(lstatSync(world.root).isDirectory()).toBe(true)
      } finally {
        world.remove()
      }
    }),
    runs,
  )
})
