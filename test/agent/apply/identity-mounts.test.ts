// One place with two paths through bind mounts: what moves between them is never removed, and is never claimed twice.
import { execFileSync } from 'node:child_process'
import { existsSync, lstatSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { isSamePlace, knownName } from '../../../agent/host/known-name.ts'
import { isInSync } from '../../../agent/plan/compare.ts'
import { absolutePathSchema } from '../../../shared/names.ts'
import type { Resource } from '../../../shared/resource.ts'
import { applyIn, compareIn, desiredHost, directory, file, makeWorld, outcome, service, type World } from './world.ts'

const asRoot = process.geteuid?.() === 0

let world: World
let mounted: string[] = []
beforeEach(() => {
  world = makeWorld()
})
afterEach(() => {
  for (const point of mounted.toReversed()) execFileSync('umount', [point])
  mounted = []
  world.remove()
})

const at = (path: string) => join(world.root, path)
const read = (path: string) => readFileSync(at(path), 'utf8')
const path = (text: string) => absolutePathSchema.parse(text)
const web = (resources: readonly Resource[], revision = '1') => desiredHost([service('web', resources)], revision)

function bind(source: string, point: string): void {
  for (const one of [source, point]) mkdirSync(at(one), { recursive: true })
  mount(['--bind', at(source), at(point)], point)
}

function mount(args: readonly string[], point: string): void {
  execFileSync('mount', [...args])
  mounted.push(at(point))
}

/** What is mounted, by which path a file is reached, and by which path it was before. */
const shapes = [
  {
    what: 'a directory',
    real: '/srv/a',
    other: '/mnt/a',
    make: () => bind('/srv/a', '/mnt/a'),
  },
  {
    what: 'a bind mount of a bind mount',
    real: '/srv/a/deep',
    other: '/opt/b',
    make: () => {
      mkdirSync(at('/srv/a/deep'), { recursive: true })
      bind('/srv/a', '/mnt/a')
      bind('/mnt/a/deep', '/opt/b')
    },
  },
  {
    what: 'a bind mount below another one',
    real: '/srv/b',
    other: '/mnt/a/b',
    make: () => {
      mkdirSync(at('/srv/a/b'), { recursive: true })
      bind('/srv/a', '/mnt/a')
      bind('/srv/b', '/mnt/a/b')
    },
  },
  {
    what: 'a file system mounted twice',
    real: '/srv/disk/a',
    other: '/mnt/disk/a',
    make: () => {
      mkdirSync(at('/srv/disk'), { recursive: true })
      mount(['-t', 'tmpfs', 'tmpfs', at('/srv/disk')], '/srv/disk')
      bind('/srv/disk', '/mnt/disk')
      mkdirSync(at('/srv/disk/a'))
    },
  },
  {
    what: 'a directory that a link leads to as well',
    real: '/srv/a',
    other: '/link/x',
    make: () => {
      bind('/srv/a', '/mnt/a/x')
      execFileSync('ln', ['-s', 'mnt/a', at('/link')])
    },
  },
]

describe.runIf(asRoot).each(shapes)('$what is bound: $other is $real', ({ real, other, make }) => {
  beforeEach(() => make())

  test.each([
    ['the source to the mount', real, other],
    ['the mount to the source', other, real],
  ])('a file that moves from %s is not touched, and its record moves', async (_, from, to) => {
    await applyIn(world, web([file(`${from}/x/f`, 'one')]))
    const before = lstatSync(at(`${real}/x/f`))

    const result = await applyIn(world, web([file(`${to}/x/f`, 'one')], '2'))

    expect(outcome(result)?.kind).toBe('unchanged')
    expect(lstatSync(at(`${real}/x/f`))).toMatchObject({ ino: before.ino, ctimeMs: before.ctimeMs })
    expect(isInSync(await compareIn(world, web([file(`${to}/x/f`, 'one')], '2')))).toBe(true)
    await applyIn(world, web([], '3'))
    expect(existsSync(at(`${real}/x/f`))).toBe(false)
  })

  test('a file that moves to the other path and another service, with new content, is replaced', async () => {
    await applyIn(world, web([file(`${real}/f`, 'one')]))
    const moved = desiredHost([service('web', []), service('late', [file(`${other}/f`, 'two')])], '2')

    await applyIn(world, moved)

    expect(read(`${real}/f`)).toBe('two')
    expect(isInSync(await compareIn(world, moved))).toBe(true)
  })

  test('a purge spares what is desired by the other path, and nothing else', async () => {
    mkdirSync(at(`${real}/conf`))
    writeFileSync(at(`${real}/conf/stray`), '')
    const desired = web([directory(`${real}/conf`, { purge: true }), file(`${other}/conf/kept`, 'x')])

    await applyIn(world, desired, { repair: 'everything' })

    expect(read(`${other}/conf/kept`)).toBe('x')
    expect(existsSync(at(`${real}/conf/stray`))).toBe(false)
    expect(isInSync(await compareIn(world, desired))).toBe(true)
  })

  test('two claims of one place are refused with both sources', async () => {
    const one = file(`${other}/f`, 'one', { source: 'services/one/files/f' })
    const second = file(`${real}/f`, 'two', { source: 'services/other/files/f' })

    const { services } = await compareIn(world, desiredHost([service('one', [one]), service('other', [second])]))

    const problems = services.flatMap((each) => each.problems)
    expect(problems).toHaveLength(2)
    for (const problem of problems) {
      expect(problem).toMatchObject({ code: 'path-claimed-twice', message: expect.stringContaining('a bind mount') })
      expect(problem.message).toContain(`${other}/f (services/one/files/f)`)
      expect(problem.message).toContain(`${real}/f (services/other/files/f)`)
    }
  })

  test('verbs find a path by either name', () => {
    const { files } = world.host
    mkdirSync(at(`${real}/x`))
    for (const [asked, known] of [
      [real, other],
      [other, real],
    ]) {
      expect(knownName(path(`${asked}/x/f`), [`${known}/x/f`], files)).toBe(`${known}/x/f`)
      expect(isSamePlace(`${asked}/x/f`, [`${known}/x/f`], files)(`${known}/x/f`)).toBe(true)
    }
  })
})

describe.runIf(asRoot)('mounts', () => {
  test('a file that moves to the path of a bound file is not touched', async () => {
    await applyIn(world, web([file('/srv/f', 'one')]))
    mkdirSync(at('/mnt'))
    writeFileSync(at('/mnt/f'), '')
    mount(['--bind', at('/srv/f'), at('/mnt/f')], '/mnt/f')
    const desired = web([file('/mnt/f', 'one')], '2')

    const result = await applyIn(world, desired)

    expect(outcome(result)?.kind).toBe('unchanged')
    expect(read('/srv/f')).toBe('one')
    expect(isInSync(await compareIn(world, desired))).toBe(true)
  })

  test('a mount point and its source may both be named with the same mode, and not with two', async () => {
    bind('/srv/a', '/mnt/a')
    const both = (mode: number) => [
      service('one', [directory('/srv/a')]),
      service('two', [directory('/mnt/a', { mode })]),
    ]

    await applyIn(world, desiredHost(both(0o755)))
    expect(isInSync(await compareIn(world, desiredHost(both(0o755))))).toBe(true)

    const { services } = await compareIn(world, desiredHost(both(0o700)))
    expect(services[0]?.problems).toMatchObject([{ code: 'path-claimed-twice' }])
  })

  test('what another mount covers is another place, by either path', async () => {
    mkdirSync(at('/srv/a/covered'), { recursive: true })
    bind('/srv/a', '/mnt/a')
    mount(['-t', 'tmpfs', 'tmpfs', at('/srv/a/covered')], '/srv/a/covered')
    const desired = web([file('/srv/a/covered/f', 'over'), file('/mnt/a/covered/f', 'under')])

    await applyIn(world, desired)

    expect(read('/srv/a/covered/f')).toBe('over')
    expect(read('/mnt/a/covered/f')).toBe('under')
    expect(isInSync(await compareIn(world, desired))).toBe(true)
  })

  test.each([
    ['its own directory, on another disk', '/data/plumb', '/var/lib/plumb', '/data/plumb/identity.pem'],
    ['a directory above it, on another disk', '/data/lib', '/var/lib', '/data/lib/plumb/identity.pem'],
    ['its directory, for somebody else', '/etc/plumb', '/home/x/conf', '/home/x/conf/agent.yaml'],
  ])("the agent's own ground is reserved by every path: %s", async (_, source, point, own) => {
    bind(source, point)
    mkdirSync(dirname(at(own)), { recursive: true })
    writeFileSync(at(own), 'own')

    const { services } = await compareIn(world, web([file(own, 'theirs')]))
    expect(services[0]?.problems).toMatchObject([{ code: 'unsafe-path' }])

    await expect(world.host.files.stage(path(own), Buffer.from('x'), { mode: 0o644 })).rejects.toThrow(/reserved/)
    expect(() => world.host.files.stageLink(path('/srv/link'), own)).toThrow(/reserved/)
    const above = dirname(source)
    await applyIn(world, web([directory(above, { purge: true }), file(`${above}/other/f`, 'x')]), {
      repair: 'everything',
    })
    expect(read(own)).toBe('own')
  })
})
