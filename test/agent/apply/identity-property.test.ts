// Whatever moves between the names of one place, between services and through links that come and go: what is desired is there.
import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isInSync } from '../../../agent/plan/compare.ts'
import type { DesiredHost, Resource } from '../../../shared/resource.ts'
import { applyIn, compareIn, desiredHost, directory, file, makeWorld, service, symlink, type World } from './world.ts'

/** The names of one directory each; the first is its place. */
const directories = [
  ['/usr/lib/d', '/lib/d'],
  ['/run/d', '/var/run/d'],
  ['/data/www/d', '/srv/www/d'],
] as const
const hostLinks = { '/lib': 'usr/lib', '/var/run': '/run', '/srv/www': '../data/www' }
const services = ['one', 'two', 'three']

const claim = fc.record({
  directory: fc.nat(directories.length - 1),
  base: fc.constantFrom('a', 'b', 'c/d'),
  byLink: fc.boolean(),
  by: fc.constantFrom(...services),
  text: fc.constantFrom('x', 'y'),
})
const purge = fc.record({
  directory: fc.nat(directories.length - 1),
  byLink: fc.boolean(),
  by: fc.constantFrom(...services),
})
/** `/srv/current`: a link of the repository, a directory of it, or nothing. */
const current = fc.record({ as: fc.constantFrom('link', 'directory', 'nothing'), by: fc.constantFrom(...services) })
const revision = fc.record({
  claims: fc.uniqueArray(claim, { selector: ({ directory: at, base }) => `${at} ${base}`, maxLength: 6 }),
  purges: fc.uniqueArray(purge, { selector: ({ directory: at }) => at, maxLength: 2 }),
  current,
})
type Revision = typeof revision extends fc.Arbitrary<infer Value> ? Value : never

const nameOf = (at: number, byLink: boolean) => directories[at]?.[byLink ? 1 : 0] ?? ''

function desiredBy({ claims, purges, current: { as, by } }: Revision, number: number): DesiredHost {
  const own = (name: string): readonly Resource[] => [
    ...purges
      .filter((one) => one.by === name)
      .map((one) => directory(nameOf(one.directory, one.byLink), { purge: true })),
    ...claims
      .filter((one) => one.by === name)
      .map((one) => file(`${nameOf(one.directory, one.byLink)}/${one.base}`, one.text)),
    ...(as === 'link' && by === name ? [symlink('/srv/current', 'releases/1')] : []),
    ...(as === 'directory' && by === name ? [file('/srv/current/conf', 'x')] : []),
    ...(name === 'one' ? [file('/srv/releases/1/conf', 'release')] : []),
  ]
  // What the repository keeps in a purged directory is worked out by desire, by name.
  const all = services.flatMap(own)
  const keeping = (resource: Resource): Resource =>
    resource.kind === 'directory' && resource.purge
      ? { ...resource, keep: [...new Set(all.flatMap((one) => namesIn(resource.path, one)))] }
      : resource
  return desiredHost(
    services.map((name) => service(name, own(name).map(keeping))),
    String(number),
  )
}

function namesIn(path: string, resource: Resource): readonly string[] {
  if (!('path' in resource) || !resource.path.startsWith(`${path}/`)) return []
  return [resource.path.slice(path.length + 1).split('/', 1)[0] ?? '']
}

function linkedWorld(): World {
  const world = makeWorld()
  for (const path of ['/usr/lib', '/run', '/var', '/data/www', '/srv'])
    mkdirSync(join(world.root, path), { recursive: true })
  for (const [path, target] of Object.entries(hostLinks)) symlinkSync(target, join(world.root, path))
  return world
}

function expectThere(world: World, { claims, current: { as } }: Revision): void {
  for (const at of directories.keys())
    for (const base of ['a', 'b', 'c/d']) {
      const wanted = claims.find((one) => one.directory === at && one.base === base)
      const path = join(world.root, nameOf(at, false), base)
      expect(existsSync(path) ? readFileSync(path, 'utf8') : undefined).toBe(wanted?.text)
    }
  expect(readFileSync(join(world.root, '/srv/releases/1/conf'), 'utf8')).toBe('release')
  expect(existsSync(join(world.root, '/srv/current/conf'))).toBe(as !== 'nothing')
}

test('after every apply all that is desired is there, nothing else is, and the next apply has nothing to do', {
  timeout: 600_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(revision, { minLength: 2, maxLength: 5 }), async (revisions) => {
      const world = linkedWorld()
      try {
        for (const [number, one] of revisions.entries()) {
          const desired = desiredBy(one, number + 1)
          const result = await applyIn(world, desired, { repair: 'everything' })
          expect(result.services.filter(({ kind }) => kind !== 'applied' && kind !== 'unchanged')).toEqual([])
          expectThere(world, one)
          expect(isInSync(await compareIn(world, desired))).toBe(true)
          const again = await applyIn(world, desired, { repair: 'everything' })
          expect(again.services.every(({ kind }) => kind === 'unchanged')).toBe(true)
        }
      } finally {
        world.remove()
      }
    }),
    { numRuns: 60, endOnFailure: true },
  )
})
