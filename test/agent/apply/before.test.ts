// What was there before the first apply, and directories that an apply made: recorded, carried along, and seen to in the end.
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { contentsFor } from '../../../agent/observe/contents.ts'
import { isInSync } from '../../../agent/plan/compare.ts'
import type { PlanOptions } from '../../../agent/plan/plan.ts'
import { stepLines } from '../../../agent/plan/text.ts'
import type { DesiredHost, Resource } from '../../../shared/resource.ts'
import { inPast } from './arbitrary.ts'
import {
  applyIn,
  compareIn,
  contents,
  desiredHost,
  directory,
  file,
  makeWorld,
  planIn,
  service,
  shapeOf,
  symlink,
  treeOf,
  type World,
} from './world.ts'

const asRoot = process.geteuid?.() === 0
let world: World

beforeEach(() => {
  world = makeWorld()
})
afterEach(() => world.remove())

const at = (path: string) => join(world.root, path)
const text = (path: string) => readFileSync(at(path), 'utf8')
const restoring = (name: string, resources: readonly Resource[]) => service(name, resources, { onRemove: 'restore' })
const nothing = (revision: string) => desiredHost([], revision)

function write(path: string, content: string, mode = 0o644): void {
  mkdirSync(dirname(at(path)), { recursive: true })
  writeFileSync(at(path), content)
  chmodSync(at(path), mode)
}

async function planned(desired: DesiredHost, options?: Partial<PlanOptions>): Promise<readonly string[]> {
  const { services } = await planIn(world, desired, options)
  return services.flatMap(({ service: name, steps }) => steps.flatMap(stepLines).map((line) => `${name}: ${line}`))
}

/** That an apply does what was planned, and nothing is left to do. */
async function carriedOut(desired: DesiredHost): Promise<readonly string[]> {
  const plan = await planned(desired)
  const { services } = await applyIn(world, desired)
  const done = services.flatMap((one) =>
    one.kind === 'applied' ? one.changes.map(({ service: name, summary }) => `${name}: ${summary}`) : [],
  )
  expect(services.filter(({ kind }) => kind === 'failed')).toEqual([])
  expect(done).toEqual(plan.map(inPast))
  expect(isInSync(await compareIn(world, desired))).toBe(true)
  expect(await planned(desired, { repair: 'everything' })).toEqual([])
  return plan
}

test('a file that has the name of a directory in which something is put back is planned to be removed', async () => {
  write('e/f', 'by hand')
  await applyIn(world, desiredHost([restoring('web', [file('/e/f', 'mine')])]))
  rmSync(at('e'), { recursive: true })
  await applyIn(world, desiredHost([restoring('web', [file('/e', 'mine')])], '2'))

  expect(await carriedOut(nothing('3'))).toEqual([
    'web: remove /e',
    'web: restore /e/f as it was before the first apply',
  ])
})

test('a directory that one service makes in the place of what leaves, and another one needs, gets its mode back in the end', async () => {
  write('a/d/inside', 'by hand')
  chmodSync(at('a'), 0o750)
  const before = shapeOf(world.root)
  const both = [
    restoring('one', [directory('/a', { keep: ['d'] })]),
    restoring('two', [directory('/a/d', { purge: true })]),
  ]
  await applyIn(world, desiredHost(both))
  await applyIn(world, desiredHost([restoring('three', [file('/a', 'mine')])], '2'))
  await applyIn(
    world,
    desiredHost([restoring('one', [symlink('/a/b/c', '/x')]), restoring('two', [directory('/a/d')])], '3'),
  )

  await carriedOut(nothing('4'))

  expect(shapeOf(world.root)).toEqual(before)
})

test('a service that says onRemove: restore leaves everything as it was before its first apply', async () => {
  write('etc/f', 'a package brought this', 0o640)
  if (asRoot) execFileSync('chown', ['1000:1001', at('etc/f')])
  symlinkSync('old-target', at('etc/l'))
  mkdirSync(at('etc/d'), { mode: 0o711 })
  const before = shapeOf(world.root)
  const mine = [file('/etc/f', 'mine'), file('/etc/new', 'x'), symlink('/etc/l', 'new'), directory('/etc/d')]
  await applyIn(world, desiredHost([restoring('web', mine)]))
  await applyIn(world, desiredHost([restoring('web', [...mine.slice(1), file('/etc/f', 'mine, later')])], '2'))
  expect(text('etc/f')).toBe('mine, later')

  expect(await carriedOut(nothing('3'))).toEqual([
    'web: remove /etc/new',
    'web: restore /etc/d as it was before the first apply',
    'web: restore /etc/f as it was before the first apply',
    'web: restore /etc/l as it was before the first apply',
  ])

  expect(shapeOf(world.root)).toEqual(before)
  expect(world.state.baselines.read().baselines.size).toBe(0)
})

test('a file that the service drops comes back while the others stay; and a second apply changes nothing', async () => {
  write('etc/f', 'before')
  await applyIn(world, desiredHost([restoring('web', [file('/etc/f', 'mine'), file('/etc/g', 'x')])]))
  await carriedOut(desiredHost([restoring('web', [file('/etc/g', 'x')])], '2'))
  expect(text('etc/f')).toBe('before')
  expect(text('etc/g')).toBe('x')
})

test('an edit of the file that is put back is kept, and the original is not lost by drift', async () => {
  write('etc/f', 'before')
  await applyIn(world, desiredHost([restoring('web', [file('/etc/f', 'mine')])]))
  write('etc/f', 'edited')
  await applyIn(world, nothing('2'))
  expect(text('etc/f')).toBe('before')
  expect(world.state.archive.list().at(-1)).toMatchObject({ path: '/etc/f', was: { type: 'file', size: 6 } })
})

test('what was right already when it was adopted is kept once a revision replaces it', async () => {
  write('etc/f', 'same', 0o644)
  await applyIn(world, desiredHost([restoring('web', [file('/etc/f', 'same')])]))
  expect(await planned(nothing('2'))).toEqual([])
  await applyIn(world, desiredHost([restoring('web', [file('/etc/f', 'other')])], '2'))
  await carriedOut(nothing('3'))
  expect(text('etc/f')).toBe('same')
})

test('what was there goes along when a path moves to another service, also when that one fails at first', async () => {
  write('etc/f', 'before')
  await applyIn(world, desiredHost([restoring('old', [file('/etc/f', 'mine')])]))
  mkdirSync(at('etc/in-the-way/full'), { recursive: true })
  const blocked = restoring('web', [file('/etc/f', 'mine'), file('/etc/in-the-way', 'x')])
  expect((await applyIn(world, desiredHost([blocked], '2'))).services.map(({ kind }) => kind)).toEqual([
    'unchanged',
    'failed',
  ])
  rmSync(at('etc/in-the-way'), { recursive: true })
  await applyIn(world, desiredHost([blocked], '3'))
  expect([...world.state.baselines.read().baselines.keys()]).toEqual(['web'])
  await carriedOut(nothing('4'))
  expect(text('etc/f')).toBe('before')
})

test('a path that changes its kind on the way still comes back as what it was', async () => {
  write('x', 'a file before')
  const kinds: readonly Resource[][] = [
    [file('/x', 'a file')],
    [symlink('/x', 'elsewhere')],
    [file('/x/below', 'deep')],
    [directory('/x')],
    [],
  ]
  for (const [index, resources] of kinds.entries())
    await carriedOut(desiredHost([restoring('web', resources)], String(index + 1)))
  expect(text('x')).toBe('a file before')
})

test('what the first apply purged comes back too', async () => {
  write('etc/d/theirs', 'before', 0o600)
  write('etc/d/sub/deep', 'deep')
  symlinkSync('theirs', at('etc/d/link'))
  chmodSync(at('etc/d/sub'), 0o750)
  const before = shapeOf(world.root)
  const mine = [directory('/etc/d', { purge: true, keep: ['f'] }), file('/etc/d/f', 'x')]
  await applyIn(world, desiredHost([restoring('web', mine)]))
  expect(existsSync(at('etc/d/theirs'))).toBe(false)
  await carriedOut(nothing('2'))
  expect(shapeOf(world.root)).toEqual(before)
})

test('with onRemove: delete what was there is not put back, and with keep everything stays', async () => {
  write('a', 'before')
  write('b', 'before')
  await applyIn(
    world,
    desiredHost([service('one', [file('/a', 'x')]), service('two', [file('/b', 'x')], { onRemove: 'keep' })]),
  )
  expect(await carriedOut(nothing('2'))).toEqual(['one: remove /a'])
  expect(existsSync(at('a'))).toBe(false)
  expect(text('b')).toBe('x')
})

test.each([70 * 1024 ** 2, 1024 ** 4])('that an original of %i bytes was not kept is told', async (size) => {
  write('f', '')
  truncateSync(at('f'), size)
  await applyIn(world, desiredHost([restoring('web', [file('/f', 'x')])]))
  expect(text('f')).toBe('x')
  expect(await carriedOut(nothing('2'))).toEqual([
    `web: remove /f (what was there before the first apply, a file of ${size} bytes, was not kept)`,
  ])
})

test.each<[string, (path: string) => void]>([
  ['a file', () => {}],
  ['a file with the mode of the repository', (path) => chmodSync(path, 0o644)],
  ['a file that nobody can read', (path) => chmodSync(path, 0)],
])('%s of a terabyte in the place of a managed one is drift, and is replaced', async (_, change) => {
  const desired = desiredHost([service('web', [file('/etc/f', 'mine')])])
  await applyIn(world, desired)
  truncateSync(at('etc/f'), 1024 ** 4)
  change(at('etc/f'))
  const { services } = await compareIn(world, desired)
  const differing = services
    .flatMap((one) => one.resources)
    .map((resource) => ({ ...resource, differences: resource.comparison.drift }))
  expect(differing[0]?.differences).toContainEqual(
    expect.objectContaining({ name: 'content', live: `size ${1024 ** 4}` }),
  )
  const readers = { host: world.host, objects: world.state.objects, contents }
  expect((await contentsFor(differing, readers)).get(file('/etc/f', '').id)).not.toHaveProperty('large')
  await applyIn(world, desired, { repair: 'everything' })
  expect(text('etc/f')).toBe('mine')
  expect(world.state.archive.list()).toMatchObject([{ was: { type: 'not-kept', size: 1024 ** 4 } }])
})

test('a put back that fails is undone, and tried again', async () => {
  write('etc/f', 'before')
  await applyIn(world, desiredHost([restoring('web', [file('/etc/f', 'mine')])]))
  const { baselines } = world.state.baselines.read()
  const [was] = [...baselines.values()].flatMap(({ before }) => [...(before ?? new Map()).values()])
  const object = join(world.state.directory, 'objects', was.was.sha256)
  writeFileSync(object, 'rotted')
  const before = treeOf(world.root)
  const failed = await applyIn(world, nothing('2'))
  expect(failed.services).toMatchObject([{ kind: 'failed', failure: { problem: { code: 'state-corrupt' } } }])
  expect(treeOf(world.root)).toEqual(before)
  writeFileSync(object, 'before')
  await applyIn(world, nothing('3'))
  expect(text('etc/f')).toBe('before')
})

test('directories made on the way go with the last file below them, whoever has it', async () => {
  mkdirSync(at('srv'))
  const one = service('one', [file('/srv/app/a/f', 'x')])
  const two = service('two', [file('/srv/app/b/f', 'x')])
  await applyIn(world, desiredHost([one, two]))
  expect(await carriedOut(desiredHost([two], '2'))).toEqual(['one: remove /srv/app/a/f', 'one: remove /srv/app/a'])
  expect(await carriedOut(nothing('3'))).toEqual([
    'two: remove /srv/app/b/f',
    'two: remove /srv/app/b',
    'two: remove /srv/app',
  ])
  expect(treeOf(world.root).map((line) => line.split(' ')[0])).toEqual(['srv'])
})

test('two services that leave at once leave no directory: the last one removes what they shared', async () => {
  await applyIn(
    world,
    desiredHost([
      service('a', [directory('/srv/app'), file('/srv/app/a', 'x')]),
      service('b', [file('/srv/app/b', 'x')]),
    ]),
  )
  expect(await carriedOut(nothing('2'))).toEqual([
    'a: remove /srv/app/a',
    'b: remove /srv/app/b',
    'b: remove /srv/app',
    'b: remove /srv',
  ])
  expect(treeOf(world.root)).toEqual([])
})

test('a directory that somebody put something into is left, which the plan says, once', async () => {
  await applyIn(world, desiredHost([service('web', [file('/srv/app/data/f', 'x')])]))
  write('srv/app/theirs', 'precious')
  expect(await carriedOut(nothing('2'))).toEqual([
    'web: remove /srv/app/data/f',
    'web: remove /srv/app/data',
    'web: leave /srv/app: it is not empty',
    'web: leave /srv: it is not empty',
  ])
  expect(treeOf(world.root).map((line) => line.split(' ')[0])).toEqual(['srv', 'srv/app', 'srv/app/theirs'])
  expect(await planned(nothing('3'))).toEqual([])
})

test('directories that were there before the first apply stay, empty or not', async () => {
  mkdirSync(at('srv/app'), { recursive: true })
  await applyIn(world, desiredHost([service('web', [file('/srv/app/f', 'x')])]))
  await carriedOut(nothing('2'))
  expect(statSync(at('srv/app')).isDirectory()).toBe(true)
})

test('baselines of the former format, without what was before, are read; what leaves is then removed', async () => {
  await applyIn(world, desiredHost([restoring('web', [file('/srv/f', 'x')])]))
  const path = join(world.state.directory, 'baseline/web.json')
  const { before: _, ...former } = JSON.parse(readFileSync(path, 'utf8'))
  writeFileSync(path, JSON.stringify(former))
  world = world.again()
  expect(await carriedOut(nothing('2'))).toEqual(['web: remove /srv/f'])
})
