// One place with two names: what moves from one name to the other is never removed, and is never claimed twice.
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { isInSync } from '../../../agent/plan/compare.ts'
import { absolutePathSchema } from '../../../shared/names.ts'
import type { Resource } from '../../../shared/resource.ts'
import {
  applyIn,
  compareIn,
  desiredHost,
  directory,
  file,
  idOf,
  makeWorld,
  outcome,
  planIn,
  service,
  symlink,
  type World,
} from './world.ts'

let world: World
beforeEach(() => {
  world = makeWorld()
})
afterEach(() => world.remove())

const at = (path: string) => join(world.root, path)
const read = (path: string) => readFileSync(at(path), 'utf8')
const web = (resources: readonly Resource[], revision = '1') => desiredHost([service('web', resources)], revision)

function link(path: string, target: string): void {
  mkdirSync(dirname(at(path)), { recursive: true })
  symlinkSync(target, at(path))
}

/** A link of the host, the name through it, and the name of the same place without it. */
const aliases = [
  { name: '/lib', target: 'usr/lib', real: '/usr/lib' },
  { name: '/var/run', target: '/run', real: '/run' },
  { name: '/srv/www', target: '../data/www', real: '/data/www' },
]

describe.each(aliases)('$name is a link to $real', ({ name, target, real }) => {
  beforeEach(() => {
    mkdirSync(at(real), { recursive: true })
    link(name, target)
  })

  test.each([
    ['the link to the place', name, real],
    ['the place to the link', real, name],
  ])('a file that moves from the name through %s is not touched, and its record moves', async (_, from, to) => {
    await applyIn(world, web([file(`${from}/x/f`, 'one')]))
    const before = lstatSync(at(`${real}/x/f`))

    const result = await applyIn(world, web([file(`${to}/x/f`, 'one')], '2'))

    expect(outcome(result)?.kind).toBe('unchanged')
    expect(lstatSync(at(`${real}/x/f`))).toMatchObject({ ino: before.ino, ctimeMs: before.ctimeMs })
    expect(isInSync(await compareIn(world, web([file(`${to}/x/f`, 'one')], '2')))).toBe(true)
    await applyIn(world, web([], '3'))
    expect(existsSync(at(`${real}/x/f`))).toBe(false)
  })

  test('a file that moves to the other name and another service, with new content, is replaced', async () => {
    await applyIn(world, web([file(`${name}/f`, 'one')]))
    const moved = desiredHost([service('web', []), service('late', [file(`${real}/f`, 'two')])], '2')

    await applyIn(world, moved)

    expect(read(`${real}/f`)).toBe('two')
    expect(isInSync(await compareIn(world, moved))).toBe(true)
    await applyIn(world, desiredHost([service('web', []), service('late', [])], '3'))
    expect(existsSync(at(`${real}/f`))).toBe(false)
  })

  test('a purge spares what is desired by the other name, and nothing else', async () => {
    mkdirSync(at(`${real}/conf`))
    writeFileSync(at(`${real}/conf/stray`), '')
    const desired = web([directory(`${real}/conf`, { purge: true }), file(`${name}/conf/kept`, 'x')])

    await applyIn(world, desired, { repair: 'everything' })

    expect(read(`${real}/conf/kept`)).toBe('x')
    expect(existsSync(at(`${real}/conf/stray`))).toBe(false)
    expect(isInSync(await compareIn(world, desired))).toBe(true)
  })

  test('a directory that was made for a file stays while another name for it is desired', async () => {
    await applyIn(world, web([file(`${real}/d/f`, 'x'), file(`${real}/d/g`, 'x')]))

    await applyIn(world, web([file(`${name}/d/g`, 'x')], '2'))

    expect(existsSync(at(`${real}/d/f`))).toBe(false)
    expect(read(`${real}/d/g`)).toBe('x')
  })

  test('two claims of one place are refused with both sources, in one service and in two', async () => {
    const one = file(`${name}/f`, 'one', { source: 'services/one/files/f' })
    const other = file(`${real}/f`, 'two', { source: 'services/other/files/f' })
    const both = [
      web([one, other, file('/etc/calm', 'x')]),
      desiredHost([service('one', [one]), service('other', [other]), service('calm', [file('/etc/calm', 'x')])]),
    ]
    for (const desired of both) {
      const { services } = await compareIn(world, desired)
      const problems = services.flatMap((each) => each.problems)
      expect(problems).not.toEqual([])
      for (const problem of problems) {
        expect(problem).toMatchObject({ code: 'path-claimed-twice' })
        expect(problem.message).toContain(`${name}/f (services/one/files/f)`)
        expect(problem.message).toContain(`${real}/f (services/other/files/f)`)
      }
    }

    const [, apart] = both
    await applyIn(world, apart ?? web([]))

    expect(existsSync(at(`${real}/f`))).toBe(false)
    expect(read('/etc/calm')).toBe('x')
  })

  test('what cannot be made out now, for want of a secret, is not removed under its other name', async () => {
    await applyIn(world, web([directory(`${real}/x`, { purge: true }), file(`${name}/x/f`, 'one')]))
    const path = absolutePathSchema.parse(`${real}/x/f`)
    const withheld = {
      resources: [{ id: idOf('file', path), path }],
      problems: [{ code: 'secret-missing' as const, message: 'the secret is not set' }],
    }
    const other = service('other', [directory(`${name}/x`, { purge: true })])

    await applyIn(world, desiredHost([service('web', [], { withheld }), other], '2'), { repair: 'everything' })

    expect(read(`${real}/x/f`)).toBe('one')
  })

  test('a claim below what is a file by the other name is refused', async () => {
    const { services } = await compareIn(world, web([file(`${name}/f`, 'x'), file(`${real}/f/below`, 'x')]))
    expect(services[0]?.problems[0]?.message).toMatch(/exclude each other/)
  })
})

test('a link of the repository becomes a directory: what lies below is written there and not through the link', async () => {
  await applyIn(world, web([symlink('/srv/current', 'releases/1'), file('/srv/releases/1/conf', 'one')]))
  const desired = web([file('/srv/current/conf', 'one')], '2')

  expect((await planIn(world, desired)).services[0]?.steps).not.toEqual([])
  await applyIn(world, desired)

  expect(lstatSync(at('/srv/current')).isDirectory()).toBe(true)
  expect(read('/srv/current/conf')).toBe('one')
  expect(existsSync(at('/srv/releases/1/conf'))).toBe(false)
  expect(isInSync(await compareIn(world, desired))).toBe(true)
})

test('the link and what lies below it may be those of two services, in any order', async () => {
  for (const order of [0, 1]) {
    const services = (link: readonly Resource[], below: readonly Resource[]) => {
      const both = [service('link', link), service('below', below)]
      return order === 0 ? both : both.toReversed()
    }
    const target = file('/srv/releases/1/conf', 'one')
    await applyIn(world, desiredHost(services([symlink('/srv/current', 'releases/1'), target], [])))
    const desired = desiredHost(services([target], [file('/srv/current/conf', 'two')]), '2')

    await applyIn(world, desired)

    expect(read('/srv/releases/1/conf')).toBe('one')
    expect(lstatSync(at('/srv/current')).isDirectory()).toBe(true)
    expect(read('/srv/current/conf')).toBe('two')
    expect(isInSync(await compareIn(world, desired))).toBe(true)
    await applyIn(world, desiredHost([], '3'))
    expect(existsSync(at('/srv/current'))).toBe(false)
  }
})

test('a directory becomes a link of the repository: what moved behind it stays', async () => {
  await applyIn(world, web([file('/srv/app/a', 'a'), file('/srv/app/b', 'b')]))
  const desired = web([symlink('/srv/app', '/data/app'), file('/data/app/a', 'a')], '2')

  await applyIn(world, desired)

  expect(lstatSync(at('/srv/app')).isSymbolicLink()).toBe(true)
  expect(read('/data/app/a')).toBe('a')
  expect(isInSync(await compareIn(world, desired))).toBe(true)
})

test('a person moves a directory behind a link: nothing differs, nothing is removed', async () => {
  const desired = web([
    directory('/srv/www', { onDrift: 'alert' }),
    file('/srv/www/index', 'x'),
    file('/srv/tree/a/b', 'x'),
  ])
  await applyIn(world, desired)
  mkdirSync(at('/data'))
  renameSync(at('/srv/tree'), at('/data/tree'))
  symlinkSync('/data/tree', at('/srv/tree'))

  const result = await applyIn(world, desired, { repair: 'everything' })

  expect(outcome(result)?.kind).toBe('unchanged')
  expect(read('/data/tree/a/b')).toBe('x')
  const without = web([directory('/srv/www'), file('/srv/www/index', 'x')], '2')
  await applyIn(world, without)
  expect(existsSync(at('/data/tree/a/b'))).toBe(false)
})

test('a directory that takes the place of a link of the host gets what is desired below it in the same apply', async () => {
  const desired = web([directory('/srv/www'), file('/srv/www/index', 'x'), file('/srv/www/deep/f', 'x')])
  await applyIn(world, desired)
  mkdirSync(at('/data'))
  renameSync(at('/srv/www'), at('/data/www'))
  symlinkSync('/data/www', at('/srv/www'))

  const result = await applyIn(world, desired, { repair: 'everything' })

  expect(outcome(result)?.kind).toBe('applied')
  expect(lstatSync(at('/srv/www')).isDirectory()).toBe(true)
  expect(read('/srv/www/index')).toBe('x')
  expect(read('/srv/www/deep/f')).toBe('x')
  expect(isInSync(await compareIn(world, desired))).toBe(true)
})

test('nothing is claimed below a link of the repository, by any of its names, before and after the link is there', async () => {
  mkdirSync(at('/usr/lib'), { recursive: true })
  link('/lib', 'usr/lib')
  const way = symlink('/usr/lib/app', '/srv/app')
  const both = web([way, file('/lib/app/conf', 'x')], '2')
  for (const before of [[], [way]]) {
    await applyIn(world, web(before))
    const { services } = await compareIn(world, both)
    expect(services[0]?.problems[0]?.message).toMatch(/exclude each other/)
  }
})

test('where no two names meet, paths keep the names of the repository', async () => {
  mkdirSync(at('/usr/lib'), { recursive: true })
  link('/lib', 'usr/lib')
  const { services } = await compareIn(world, web([file('/lib/x/f', 'x'), file('/etc/f', 'x')]))
  expect(services[0]?.resources.map(({ id }) => id)).toEqual([idOf('file', '/lib/x/f'), idOf('file', '/etc/f')])
})

test('a link that others could have placed makes no two names one', async () => {
  mkdirSync(at('/tmp/open'), { recursive: true, mode: 0o777 })
  chmodSync(at('/tmp/open'), 0o777)
  link('/tmp/open/way', '/etc')
  expect(world.host.files.waysInto(['/tmp/open/way']).links).toEqual(new Map())
})
