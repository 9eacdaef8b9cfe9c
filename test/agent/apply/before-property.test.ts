// Generated fleets of several services, over generated hosts: what leaves puts back what was there, and plans say what is done.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { stepLines } from '../../../agent/plan/text.ts'
import type { DesiredHost, DesiredService } from '../../../shared/resource.ts'
import { edit, inPast, make, paths, resources } from './arbitrary.ts'
import { applyIn, desiredHost, makeWorld, planIn, service, shapeOf, type World } from './world.ts'

const names = ['one', 'two', 'three']
const policies = fc.constantFrom('delete' as const, 'restore' as const, 'keep' as const)

/** A revision: its resources, and by their position the services they are of, so that they move between revisions. */
const revision = fc.record({
  own: resources.map(withoutLinksAbove),
  owners: fc.array(fc.nat(names.length - 1), { minLength: 6, maxLength: 6 }),
})
type Revision = typeof revision extends fc.Arbitrary<infer R> ? R : never

/** Without links through which directories would be made. */
const plainEdit = edit.filter(({ path, what }) => !(what === 'link' && isAbove(path)))

/** What a host has before Plumbline comes, but for what no store can keep. */
const beginnings = fc.array(
  plainEdit.filter(({ what }) => what !== 'fifo'),
  { maxLength: 6 },
)

/** A service that writes below a path that still is another one's link writes where that leads: a fleet's own affair. */
function withoutLinksAbove<R extends { readonly kind: string; readonly path: string }>(
  own: readonly R[],
): readonly R[] {
  return own.filter(({ kind, path }) => kind !== 'symlink' || !isAbove(path))
}

/** Only what the first purge of a directory takes was there before: what was protected then by a resource and goes later does not count. */
function withPlainPurges({ own, owners }: Revision): Revision {
  return {
    owners,
    own: own.map((one) => (one.kind === 'directory' && isAbove(one.path) ? { ...one, purge: false } : one)),
  }
}

function isAbove(path: string): boolean {
  return paths.some((one) => one.startsWith(`${path}/`))
}

function fleet(
  { own, owners }: Revision,
  number: number,
  onRemove: readonly DesiredService['onRemove'][],
): DesiredHost {
  const services = names.flatMap((name, index) => {
    const mine = own.filter((_, position) => owners[position] === index)
    return mine.length === 0 ? [] : [service(name, mine, { onRemove: onRemove[index] ?? 'delete' })]
  })
  return desiredHost(services, String(number))
}

/** Real files are made and synced for every run; PLUMB_FAULTS_LONG=1 takes its time. */
const runs = {
  numRuns: process.env['PLUMB_FAULTS_LONG'] === '1' ? 2000 : 60,
  endOnFailure: true,
}

/** What was planned, and what was done; undefined when a service could not be applied. */
async function transition(world: World, desired: DesiredHost) {
  const { services } = await planIn(world, desired, { repair: 'everything' })
  const planned = services.flatMap(({ steps }) => steps.flatMap(stepLines))
  const result = await applyIn(world, desired, { repair: 'everything' })
  if (result.services.some(({ kind }) => kind === 'failed')) return undefined
  const changes = result.services.flatMap((one) => (one.kind === 'applied' ? one.changes : []))
  return { planned: planned.map(inPast), done: changes.map(({ summary }) => summary) }
}

test('whatever revisions came and went, once all has left with onRemove: restore the host is as it was', {
  timeout: 3_600_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(beginnings, fc.array(revision, { minLength: 1, maxLength: 4 }), async (edits, revisions) => {
      const world = makeWorld()
      try {
        for (const one of edits) make(world, one)
        const before = shapeOf(world.root)
        const restoring = names.map(() => 'restore' as const)
        // What a failed service claims is not purged at first, and a later purge is of what came after the first apply.
        for (const [index, one] of revisions.map(withPlainPurges).entries())
          if ((await transition(world, fleet(one, index + 1, restoring))) === undefined) break
        await transition(world, desiredHost([], '98'))
        await transition(world, desiredHost([], '99'))
        expect(shapeOf(world.root)).toEqual(before)
        expect(world.state.baselines.read().baselines.size).toBe(0)
      } finally {
        world.remove()
      }
    }),
    runs,
  )
})

test('an apply does what the plan says, line by line, whatever moves between services and however they leave', {
  timeout: 3_600_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(policies, { minLength: 3, maxLength: 3 }),
      fc.array(plainEdit, { maxLength: 5 }),
      fc.array(fc.tuple(revision, fc.array(plainEdit, { maxLength: 3 })), { minLength: 1, maxLength: 3 }),
      async (onRemove, beginning, revisions) => {
        const world = makeWorld()
        try {
          for (const one of beginning) make(world, one)
          for (const [index, [one, edits]] of [...revisions, [undefined, []] as const].entries()) {
            const desired = one === undefined ? desiredHost([], '99') : fleet(one, index + 1, onRemove)
            const outcome = await transition(world, desired)
            if (outcome !== undefined) {
              expect(outcome.done).toEqual(outcome.planned)
              expect((await transition(world, desired))?.done).toEqual([])
            }
            expect(shapeOf(world.root).join('\n')).not.toContain('.plumb-')
            for (const each of edits) make(world, each)
          }
        } finally {
          world.remove()
        }
      },
    ),
    runs,
  )
})
