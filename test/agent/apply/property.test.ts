import { execFileSync } from 'node:child_process'
import { chmodSync, lstatSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isInPlumb } from '../../../agent/plan/compare.ts'
import { isEmpty } from '../../../agent/plan/plan.ts'
import type { Resource } from '../../../shared/resource.ts'
import {
  applyIn,
  compareIn,
  desiredHost,
  directory,
  file,
  makeWorld,
  outcome,
  planIn,
  service,
  symlink,
  treeOf,
  type World,
} from './world.ts'

const paths = ['/a', '/a/b', '/a/b/c', '/a/d', '/e', '/e/f', '/g/h/i', '/g/h/j'] as const

const resource = fc.oneof(
  fc
    .record({
      path: fc.constantFrom(...paths),
      text: fc.constantFrom('', 'one', 'two'),
      mode: fc.constantFrom(0o644, 0o600),
    })
    .map(({ path, text, mode }) => file(path, text, { mode })),
  fc
    .record({ path: fc.constantFrom(...paths), target: fc.constantFrom('x', '/nowhere') })
    .map(({ path, target }) => symlink(path, target)),
  fc
    .record({ path: fc.constantFrom(...paths), purge: fc.boolean(), mode: fc.constantFrom(0o755, 0o700) })
    .map(({ path, ...more }) => directory(path, more)),
)

/** As desire would give it: one resource for a path, nothing below a file or link, `keep` filled in. */
const resources = fc.array(resource, { maxLength: 6 }).map((all) => {
  const chosen = new Map<string, Resource & { readonly path: string }>()
  for (const one of all) {
    const clashes = [...chosen.values()].some(
      (other) =>
        other.path === one.path ||
        (one.path.startsWith(`${other.path}/`) && other.kind !== 'directory') ||
        (other.path.startsWith(`${one.path}/`) && one.kind !== 'directory'),
    )
    if (!clashes) chosen.set(one.path, one)
  }
  return [...chosen.values()].map((one) =>
    one.kind === 'directory' ? { ...one, keep: keptIn(one.path, [...chosen.keys()]) } : one,
  )
})

function keptIn(path: string, all: readonly string[]): readonly string[] {
  const inside = all.filter((other) => other.startsWith(`${path}/`))
  return [...new Set(inside.map((other) => other.slice(path.length + 1).split('/')[0] ?? ''))]
}

/** What people and programs do to a host. */
const edit = fc.record({
  path: fc.constantFrom(...paths, '/a/extra', '/e/extra'),
  what: fc.constantFrom('remove', 'write', 'chmod', 'fifo', 'link', 'directory', 'full directory'),
})
type Edit = { readonly path: string; readonly what: string }

function make({ root }: World, { path, what }: Edit): void {
  const at = join(root, path)
  try {
    if (what === 'chmod') chmodSync(at, 0o750)
    if (what === 'chmod') return
    rmSync(at, { recursive: true, force: true })
    if (what === 'remove') return
    mkdirSync(dirname(at), { recursive: true })
    if (what === 'write') writeFileSync(at, 'by hand')
    if (what === 'fifo') execFileSync('mkfifo', [at])
    if (what === 'link') symlinkSync('/by/hand', at)
    if (what.endsWith('directory')) mkdirSync(at)
    if (what === 'full directory') writeFileSync(join(at, 'inside'), 'by hand')
  } catch {
    // A file stands where a directory would be needed: then this person did nothing.
  }
}

const fleet = (revision: number, own: readonly Resource[], checks: 'hold' | 'fail' = 'hold') =>
  desiredHost(
    [service('web', own, checks === 'hold' ? {} : { checks: [{ kind: 'run', command: 'false' }] })],
    String(revision),
  )

/** Real files are made and synced for every run. */
const runs = { numRuns: 80, endOnFailure: true }

test('whatever was applied and whatever somebody did, an apply ends in plumb or puts everything back', {
  timeout: 240_000,
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
        expect(isInPlumb(await compareIn(world, fleet(2, second)))).toBe(true)
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

test('an apply that fails at its end restores every file byte for byte', { timeout: 240_000 }, async () => {
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
