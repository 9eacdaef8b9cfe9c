// `plumb restore`, on what applies displaced in a sandbox.
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Output } from '../../../agent/commands/output.ts'
import { type RestoreOptions, restore } from '../../../agent/commands/restore.ts'
import type { Resource } from '../../../shared/resource.ts'
import { absoluteTime } from '../../../shared/time-text.js'
import { runPlumb } from '../../support/plumb.ts'
import {
  applyIn,
  compareIn,
  desiredHost,
  directory,
  file,
  makeWorld,
  outcome,
  service,
  sha,
  treeOf,
  type World,
} from '../apply/world.ts'

const asRoot = process.geteuid?.() === 0
let world: World

beforeEach(() => {
  world = makeWorld()
})
afterEach(() => world.remove())

const at = (path: string) => join(world.root, path)
const text = (path: string) => readFileSync(at(path), 'utf8')
const web = (resources: readonly Resource[], revision = '1') => desiredHost([service('web', resources)], revision)
const repair = { repair: 'everything' } as const

function write(path: string, content: string | Uint8Array, mode = 0o644): void {
  mkdirSync(dirname(at(path)), { recursive: true })
  writeFileSync(at(path), content)
  chmodSync(at(path), mode)
}

function each<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index))
}

/** With a file at its end; its path is longer than any that can be given to open(2). */
function makeChain(top: string, name: string, depth: number): void {
  let fd = openSync(top, 'r')
  for (let at = 0; at < depth; at += 1) {
    mkdirSync(`/proc/self/fd/${fd}/${name}`)
    const below = openSync(`/proc/self/fd/${fd}/${name}`, 'r')
    closeSync(fd)
    fd = below
  }
  writeFileSync(`/proc/self/fd/${fd}/f`, 'precious')
  closeSync(fd)
}

async function restored(path?: string, options: Partial<RestoreOptions> = {}) {
  const lines: string[] = []
  const output: Output = { print: ({ text: printed }) => void lines.push(...printed), progress: () => {} }
  const code = await restore(path, { root: world.root, state: world.state.directory, ...options }, output)
  return { code, lines }
}

const times = (path: string) => world.state.archive.list().flatMap((one) => (one.path === path ? [one.at] : []))

test('what an apply overwrote is listed, and comes back with its content, mode and owner', async () => {
  await applyIn(world, web([file('/etc/f', 'one')]))
  write('etc/f', 'typed at 3 a.m.', 0o640)
  if (asRoot) execFileSync('chown', ['1000:1001', at('etc/f')])
  await applyIn(world, web([file('/etc/f', 'two')], '2'))
  const [time = ''] = times('/etc/f')
  expect(await restored()).toEqual({
    code: 0,
    lines: [`${absoluteTime(time ?? '')}  /etc/f  web  overwritten  15 bytes`],
  })

  const { code, lines } = await restored('/etc/f', { at: time })

  expect(code).toBe(0)
  expect(lines).toEqual([
    `restored /etc/f as it was before ${absoluteTime(time)}`,
    expect.stringMatching(/^it differs from the repository \(web\) now, which is drift: commit it .*; plumb apply/),
  ])
  expect(text('etc/f')).toBe('typed at 3 a.m.')
  const stat = statSync(at('etc/f'))
  expect([stat.mode & 0o7777, stat.uid, stat.gid]).toEqual(asRoot ? [0o640, 1000, 1001] : [0o640, stat.uid, stat.gid])
  expect(treeOf(world.root).join('\n')).not.toContain('.plumb-')
  const { services } = await compareIn(world, web([file('/etc/f', 'two')], '2'))
  expect(services[0]?.resources[0]?.comparison.drift[0]).toMatchObject({ name: 'content' })
})

test('a restore can itself be taken back: what was live goes into the store first', async () => {
  await applyIn(world, web([file('/etc/f', 'one')]))
  write('etc/f', 'mine')
  await applyIn(world, web([file('/etc/f', 'two')], '2'))
  await restored('/etc/f', { at: 'latest' })
  expect(text('etc/f')).toBe('mine')
  expect((await restored('/etc/f')).lines[0]).toMatch(/ {2}\/etc\/f {2}web {2}restored {2}3 bytes$/)
  const { lines } = await restored('/etc/f', { at: 'latest' })
  expect(text('etc/f')).toBe('two')
  expect(lines[1]).toBe('its content is what web was last applied with')
})

test('a link comes back as a link, and what was removed or purged with the reason why', async () => {
  const first = web([directory('/etc/d', { purge: true }), file('/etc/gone', 'x')])
  await applyIn(world, first)
  symlinkSync('/some/where', at('etc/d/link'))
  write('etc/gone', 'edited')
  await applyIn(world, web([directory('/etc/d', { purge: true })], '2'), repair)
  expect(world.state.archive.list().map(({ path, why }) => [path, why])).toEqual([
    ['/etc/gone', 'removed'],
    ['/etc/d/link', 'purged'],
  ])
  const { lines } = await restored('/etc/d/link', { at: 'latest' })
  expect(readlinkSync(at('etc/d/link'))).toBe('/some/where')
  expect(lines[1]).toContain('in a directory that it purges')
  expect((await restored('/etc/gone', { at: 'latest' })).lines[1]).toContain(
    'nothing in the repository manages this path',
  )
  expect(text('etc/gone')).toBe('edited')
})

test('it is written elsewhere, or printed, when asked; and the command does so with its exit codes', async () => {
  await applyIn(world, web([file('/etc/f', 'one')]))
  write('etc/f', Buffer.from([0, 255, 10, 200]))
  await applyIn(world, web([file('/etc/f', 'two')], '2'))
  await restored('/etc/f', { to: '/srv/new/f' })
  expect([...readFileSync(at('srv/new/f'))]).toEqual([0, 255, 10, 200])
  expect(text('etc/f')).toBe('two')

  const places = ['--root', world.root, '--state', world.state.directory]
  const listed = await runPlumb(['restore', '/etc/f', ...places, '--json'])
  expect(JSON.parse(listed.out)).toMatchObject({
    displaced: [{ path: '/etc/f', why: 'overwritten', size: 4, kept: true, was: { mode: 0o644 } }],
  })
  const printed = execFileSync(join(import.meta.dirname, '../../../scripts/plumb'), [
    'restore',
    '/etc/f',
    '--print',
    ...places,
  ])
  expect([...printed]).toEqual([0, 255, 10, 200])
  const unknown = await runPlumb(['restore', '/etc/other', '--at', 'latest', ...places])
  expect(unknown).toMatchObject({ code: 1, err: expect.stringContaining('Nothing was kept of /etc/other.') })
})

test('a time that fits several versions, or none, restores nothing and lists what there is', async () => {
  await applyIn(world, web([file('/etc/f', 'one')]))
  for (const revision of ['2', '3']) {
    write('etc/f', `mine before ${revision}`)
    await applyIn(world, web([file('/etc/f', revision)], revision))
  }
  const [first = '', second = ''] = times('/etc/f')
  // As the list has them, unless both are of one second.
  const isOneSecond = absoluteTime(first) === absoluteTime(second)
  const [earlier, later] = isOneSecond ? [first, second] : [absoluteTime(first), absoluteTime(second)]
  await expect(restored('/etc/f', { at: '2' })).rejects.toThrow(
    `2 versions of /etc/f begin with "2". There are ${later}, ${earlier}.`,
  )
  await expect(restored('/etc/f', { at: '1999' })).rejects.toThrow(
    'No version of /etc/f is of a time that begins with "1999".',
  )
  expect(text('etc/f')).toBe('3')
  await restored('/etc/f', { at: first })
  expect(text('etc/f')).toBe('mine before 2')
})

test('a version that rotted on disk is not written over what is live', async () => {
  await applyIn(world, web([file('/etc/f', 'one')]))
  write('etc/f', 'mine')
  await applyIn(world, web([file('/etc/f', 'two')], '2'))
  writeFileSync(join(world.state.directory, 'objects', sha('mine')), 'rott')
  const before = treeOf(world.root)
  await expect(restored('/etc/f', { at: 'latest' })).rejects.toMatchObject({ code: 'state-corrupt' })
  expect(treeOf(world.root)).toEqual(before)
  expect(world.state.journal.read()).toEqual([])
})

test('a directory that is where it was is not replaced, and nothing is left behind', async () => {
  await applyIn(world, web([file('/etc/f', 'one')]))
  write('etc/f', 'mine')
  await applyIn(world, web([], '2'))
  mkdirSync(at('etc/f/inside'), { recursive: true })
  const before = treeOf(world.root)
  await expect(restored('/etc/f', { at: 'latest' })).rejects.toThrow('a directory is in the way')
  expect(treeOf(world.root)).toEqual(before)
})

test('an entry of the former format, of content alone, is listed and restored for root only', async () => {
  const batch = world.state.objects.batch()
  const { sha256 } = await batch.add(async (take) => take(Buffer.from('of old')))
  await batch.settle()
  const entry = { at: '2026-11-01T00:00:00.000Z', service: 'web', path: '/etc/f', sha256 }
  writeFileSync(join(world.state.directory, 'displaced.json'), JSON.stringify([entry, { of: 'a later version' }]))
  expect((await restored()).lines).toEqual(['2026-11-01 00:00:00 UTC  /etc/f  web  overwritten  6 bytes'])
  await restored('/etc/f', { at: '2026-11' })
  expect(text('etc/f')).toBe('of old')
  expect(statSync(at('etc/f')).mode & 0o777).toBe(0o600)
})

test('twenty mebibytes are kept and come back; what is larger than the store takes is told, not silent', async () => {
  const large = Buffer.alloc(20 * 1024 * 1024, 'x')
  await applyIn(world, web([file('/a', 'one'), file('/b', 'one')]))
  write('a', large)
  truncateSync(at('b'), 129 * 1024 * 1024)
  const result = outcome(await applyIn(world, web([file('/a', 'two'), file('/b', 'two')], '2')))
  const note = 'did not archive the content of /b: 129.0 MiB is more than 128.0 MiB'
  expect(result).toMatchObject({ kind: 'applied', changes: [{}, {}, { summary: note }] })
  expect((await restored('/b')).lines).toEqual([expect.stringContaining('not kept (129.0 MiB)')])
  await expect(restored('/b', { at: 'latest' })).rejects.toThrow('was not kept')
  expect(text('b')).toBe('two')
  await restored('/a', { at: 'latest' })
  expect(sha(readFileSync(at('a')))).toBe(sha(large))
})

test('of a purge of more than a thousand files, how many were not kept is told', { timeout: 600_000 }, async () => {
  const desired = web([directory('/d', { purge: true })])
  await applyIn(world, desired)
  for (let index = 0; index < 1100; index += 1) write(`d/${index}`, 'x')
  const result = outcome(await applyIn(world, desired, repair))
  expect(result).toMatchObject({
    changes: [{}, { summary: 'did not archive 100 more files (100 bytes) that were in /d' }],
  })
  expect(world.state.archive.list()).toHaveLength(1001)
})

test.each([
  [
    '1,001 empty directories',
    () => each(1001, (index) => mkdirSync(at(`d/a/${index}`), { recursive: true })),
    'd/zz/f',
  ],
  [
    '1,001 FIFOs',
    () =>
      void execFileSync(
        'mkfifo',
        each(1001, (index) => at(`d/${index}`)),
      ),
    'd/zz/f',
  ],
  ['999 links', () => each(999, (index) => symlinkSync('x', at(`d/${index}`))), 'd/zz/f'],
])('a file beside %s in a purged directory is kept', { timeout: 120_000 }, async (_, fill, precious) => {
  const desired = web([directory('/d', { purge: true })])
  await applyIn(world, desired)
  fill()
  write(precious, 'precious')
  const result = await applyIn(world, desired, repair)
  expect(outcome(result)).toMatchObject({ kind: 'applied' })
  expect(existsSync(at(precious))).toBe(false)
  await restored(`/${precious}`, { at: 'latest' })
  expect(text(precious)).toBe('precious')
})

test.each([
  ['a', 3000],
  ['a-longer-name', 400],
])('a file below a chain of directories %s, %i deep, is kept', { timeout: 120_000 }, async (name, depth) => {
  const desired = web([directory('/d', { purge: true })])
  await applyIn(world, desired)
  makeChain(at('d'), name, depth)
  const result = await applyIn(world, desired, repair)
  expect(outcome(result)).toMatchObject({ kind: 'applied' })
  expect(readdirSync(at('d'))).toEqual([])
  const [kept] = world.state.archive.list()
  if (kept === undefined) throw new Error('nothing was kept')
  await expect(restored(kept.path, { at: 'latest' })).rejects.toThrow('shortened')
  await restored(kept.path, { at: 'latest', to: '/f' })
  expect(text('f')).toBe('precious')
})

test('a name that is not UTF-8 is purged, kept, and restored under another one', async () => {
  const desired = web([directory('/d', { purge: true })])
  await applyIn(world, desired)
  writeFileSync(Buffer.concat([Buffer.from(at('d/b')), Buffer.from([0xff])]), 'odd')
  await applyIn(world, desired, repair)
  await expect(restored('/d/b\\xff', { at: 'latest' })).rejects.toThrow('shown escaped')
  await restored('/d/b\\xff', { at: 'latest', to: '/odd' })
  expect(text('odd')).toBe('odd')
})

test('an apply that fails keeps nothing, since nothing was lost', async () => {
  write('etc/f', 'mine')
  mkdirSync(at('etc/in-the-way/full'), { recursive: true })
  const result = await applyIn(world, web([file('/etc/f', 'one'), file('/etc/in-the-way', 'x')]))
  expect(outcome(result)?.kind).toBe('failed')
  expect(text('etc/f')).toBe('mine')
  expect(await restored()).toEqual({ code: 0, lines: ['nothing has been kept on this host'] })
})

test('a FIFO or device in place of what is restored is replaced without a wait, and not written through', async () => {
  await applyIn(world, web([file('/etc/f', 'one')]))
  write('etc/f', 'mine')
  await applyIn(world, web([file('/etc/f', 'two')], '2'))
  unlinkSync(at('etc/f'))
  execFileSync('mkfifo', [at('etc/f')])
  await restored('/etc/f', { at: 'latest' })
  expect(text('etc/f')).toBe('mine')
  expect(lstatSync(at('etc/f')).isFile()).toBe(true)
  expect(existsSync(at('etc/f~'))).toBe(false)
})
