// Disks that are full, read-only or stubborn, and things on them that are not what a file should be, for real: the service says so
// and is put back, the others proceed, and nothing waits for ever.
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { bringBack } from '../../agent/commands/restore-version.ts'
import { isInSync } from '../../agent/plan/compare.ts'
import type { Resource } from '../../shared/resource.ts'
import {
  applyIn,
  compareIn,
  desiredHost,
  directory,
  file,
  makeWorld,
  outcome,
  reportsIn,
  service,
  symlink,
  treeOf,
  type World,
} from '../agent/apply/world.ts'

const isLong = process.env['PLUMB_FAULTS_LONG'] === '1'
const asRoot = process.geteuid?.() === 0
let world: World
let undo: (() => void)[]

beforeEach(() => {
  world = makeWorld()
  undo = []
})
afterEach(() => {
  for (const work of undo.toReversed()) work()
  world.remove()
})

const at = (path: string) => join(world.root, path)
const text = (path: string) => readFileSync(at(path), 'utf8')
const repair = { repair: 'everything' } as const

function write(path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(at(path)), { recursive: true })
  writeFileSync(at(path), content)
}

function mount(...args: readonly string[]): void {
  execFileSync('mount', args)
  undo.push(() => execFileSync('umount', ['-l', args.at(-1) ?? '']))
}

/** A service whose files are partly in `place`, which cannot take them, and another one beside it. */
const beside = (place: string, large: string | Uint8Array = 'new') =>
  desiredHost(
    [
      service('web', [file('/etc/a', 'new'), file(`${place}/f`, large), directory(`${place}/made`)]),
      service('other', [file('/other', 'x')]),
    ],
    '2',
  )

async function refused(desired: ReturnType<typeof beside>, code: string): Promise<void> {
  const before = treeOf(world.root)
  const { services } = await applyIn(world, desired, repair)
  expect(services).toMatchObject([
    { service: 'web', kind: 'failed', failure: { problem: { code, remedy: expect.any(String) } } },
    { service: 'other', kind: 'applied' },
  ])
  expect(treeOf(world.root).filter((line) => !line.startsWith('other '))).toEqual(before)
  expect(world.state.journal.read()).toEqual([])
}

test.runIf(asRoot)('a directory that is mounted read-only fails its service, which is put back', async () => {
  write('etc/a', 'old')
  write('ro/f', 'old')
  mount('--bind', at('ro'), at('ro'))
  mount('-o', 'remount,ro,bind', at('ro'))
  undo.pop()
  await refused(beside('/ro'), 'read-only')
})

test.runIf(asRoot)('an immutable directory fails its service, which is put back', async () => {
  write('etc/a', 'old')
  write('fixed/f', 'old')
  execFileSync('chattr', ['+i', at('fixed')])
  undo.push(() => execFileSync('chattr', ['-i', at('fixed')]))
  await refused(beside('/fixed'), 'read-only')
})

test.runIf(asRoot)('a full disk of the target fails its service, which is put back', async () => {
  write('etc/a', 'old')
  mkdirSync(at('small'))
  mount('-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', at('small'))
  write('small/f', 'old')
  await refused(beside('/small', Buffer.alloc(100_000, 'x')), 'disk-full')
})

test.runIf(asRoot)('a full object store fails what would displace something, before that is lost', async () => {
  const typed = Buffer.alloc(200_000, 'typed ')
  write('etc/a', 'old')
  write('etc/f', typed)
  mount('-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', join(world.state.directory, 'objects'))
  await refused(beside('/etc'), 'disk-full')
  expect(readFileSync(at('etc/f')).equals(typed)).toBe(true)
  expect(readdirSync(join(world.state.directory, 'objects')).filter((name) => name.endsWith('.new'))).toEqual([])
})

test.runIf(asRoot)('what is too large for what is left of the disk is refused before the disk is full', async () => {
  write('etc/a', 'old')
  write('etc/f', Buffer.alloc(8 * 1024 * 1024, 'typed '))
  mount('-t', 'tmpfs', '-o', 'size=20m', 'tmpfs', join(world.state.directory, 'objects'))
  await refused(beside('/etc'), 'disk-full')
})

test.runIf(asRoot)('a full state disk fails what would change, and all is well once there is room', async () => {
  const stateDirectory = join(world.directory, 'small')
  mkdirSync(stateDirectory)
  mount('-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', stateDirectory)
  const small = makeWorld({ root: world.root, stateDirectory })
  undo.push(() => small.remove())
  await applyIn(small, desiredHost([service('web', [file('/f', 'one')])]))
  write('f', 'typed')
  const desired = desiredHost([service('web', [file('/f', 'two')])], '2')
  const lock = await small.state.lock({ purpose: 'test', now: new Date() })
  lock.release()
  try {
    writeFileSync(join(stateDirectory, 'filler'), Buffer.alloc(1024 * 1024))
  } catch {
    // As much of it as there is room for.
  }
  const failed = await applyIn(small, desired, repair).catch((error: unknown) => error)
  expect(JSON.stringify(failed)).toContain('disk-full')
  expect(text('f')).toBe('typed')
  rmSync(join(stateDirectory, 'filler'))
  expect(outcome(await applyIn(small, desired, repair))?.kind).toBe('applied')
  expect(small.state.archive.list()).toMatchObject([{ path: '/f', was: { size: 5 } }])
})

async function restoreLatest(): Promise<unknown> {
  const [version] = world.state.archive.list()
  if (version === undefined) throw new Error('nothing was displaced')
  return await bringBack(version, {
    host: world.host,
    state: world.state,
    target: file('/d/f', '').path,
    now: new Date(),
  })
}

async function displacedFile(): Promise<void> {
  await applyIn(world, desiredHost([service('web', [file('/d/f', 'one')])]))
  write('d/f', Buffer.alloc(100_000, 'typed '))
  await applyIn(world, desiredHost([service('web', [file('/d/f', 'two')])], '2'))
}

test.runIf(asRoot)('a restore onto a read-only mount changes nothing and says so', async () => {
  await displacedFile()
  mount('--bind', at('d'), at('d'))
  execFileSync('mount', ['-o', 'remount,ro,bind', at('d')])
  const before = treeOf(world.root)
  await expect(restoreLatest()).rejects.toMatchObject({ code: 'read-only' })
  expect(treeOf(world.root)).toEqual(before)
})

test.runIf(asRoot)('a restore onto a full disk changes nothing and says so', async () => {
  await displacedFile()
  mount('-t', 'tmpfs', '-o', 'size=32k', 'tmpfs', at('d'))
  write('d/f', 'two')
  const before = treeOf(world.root)
  await expect(restoreLatest()).rejects.toMatchObject({ code: 'disk-full' })
  expect(treeOf(world.root)).toEqual(before)
})

const places = ['fifo', 'socket', 'device', 'link', 'directory'] as const

async function stand(what: (typeof places)[number], path: string): Promise<void> {
  switch (what) {
    case 'fifo':
      execFileSync('mkfifo', [path])
      break
    case 'socket': {
      const server = createServer().listen(path)
      await new Promise((resolve) => server.once('listening', resolve))
      undo.push(() => server.close())
      break
    }
    case 'device':
      execFileSync('mknod', [path, 'c', '1', '5'])
      break
    case 'link':
      symlinkSync('/dev/zero', path)
      break
    case 'directory':
      mkdirSync(path)
      break
  }
}

test.runIf(asRoot)(
  'whatever stands where a file or link should be, no check, apply, undo or restore waits for it',
  async () => {
    const own: readonly Resource[] = places.flatMap((what) => [file(`/t/${what}`, 'x'), symlink(`/t/l-${what}`, 'x')])
    const other = places.map((what) => file(`/u/${what}`, 'x'))
    const desired = desiredHost([service('web', [...own, ...other], { onRemove: 'restore' })])
    mkdirSync(at('t'))
    mkdirSync(at('u'))
    for (const what of places) {
      await stand(what, at(`t/${what}`))
      await stand(what, at(`t/l-${what}`))
    }
    expect((await reportsIn(world, desired))[0]?.pending).toHaveLength(own.length + other.length)
    const before = treeOf(world.root)

    // The directories are in the way: everything else is put back as what it was.
    expect(outcome(await applyIn(world, desired, repair))).toMatchObject({ kind: 'failed' })
    expect(treeOf(world.root)).toEqual(before)

    for (const name of ['directory', 'l-directory']) rmSync(at(`t/${name}`), { recursive: true })
    expect(outcome(await applyIn(world, desired, repair))).toMatchObject({ kind: 'applied' })
    expect(isInSync(await compareIn(world, desired, true))).toBe(true)

    for (const what of places) {
      rmSync(at(`u/${what}`))
      await stand(what, at(`u/${what}`))
    }
    const [report] = await reportsIn(world, desired)
    expect(report?.findings).toHaveLength(places.length)
    const left = await applyIn(world, desiredHost([], '2'), repair)
    expect(outcome(left)).toMatchObject({ kind: 'applied' })
    const lines = outcome(left)?.kind === 'applied' ? JSON.stringify(outcome(left)) : ''
    expect(lines).toContain('removed /t/fifo (what was there before the first apply, a fifo, was not kept)')
    expect(lstatSync(at('t/link')).isSymbolicLink()).toBe(true)
    expect(readdirSync(at('u'))).toEqual(['directory'])
  },
)

function measured(what: string): { kind: string; changes: { summary: string }[]; peakMiB: number } {
  const script = join(import.meta.dirname, 'apply-measured.ts')
  const args = [script, world.directory, world.root, world.state.directory, what]
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }))
}

test('a file of five gigabytes in place of a small one takes less than 150 MiB', { timeout: 600_000 }, async () => {
  await applyIn(world, desiredHost([service('web', [file('/f', 'one')])]))
  truncateSync(at('f'), 5 * 1024 ** 3)
  const { kind, changes, peakMiB } = measured('file')
  console.log(`disk: 5 GiB replaced with a peak of ${Math.round(peakMiB)} MiB`)
  expect(kind).toBe('applied')
  expect(changes[1]?.summary).toBe('did not archive the content of /f: 5.0 GiB is more than 128.0 MiB')
  expect(peakMiB).toBeLessThan(150)
  expect(text('f')).toBe('small')
})

test('a purge of very many files takes less than 150 MiB, and none of them is passed over', {
  timeout: 600_000,
}, async () => {
  const count = isLong ? 100_000 : 10_000
  await applyIn(world, desiredHost([service('web', [directory('/d', { purge: true })])]))
  for (let index = 0; index < count; index += 1) {
    if (index % 1000 === 0) mkdirSync(at(`d/${index / 1000}`))
    writeFileSync(at(`d/${Math.floor(index / 1000)}/${index}`), 'x')
  }
  const { kind, changes, peakMiB } = measured('purge')
  console.log(`disk: ${count} files purged with a peak of ${Math.round(peakMiB)} MiB`)
  expect(kind).toBe('applied')
  const kept = world.state.archive.list().filter(({ was }) => was.type === 'file').length
  expect(changes.at(-1)?.summary).toContain(`did not archive ${count - kept} more files`)
  expect(peakMiB).toBeLessThan(150)
  expect(readdirSync(at('d'))).toEqual([])
})

test('names that are not UTF-8 are purged, put back by a failed apply, and kept', async () => {
  const desired = (more: readonly Resource[] = []) =>
    desiredHost([service('web', [directory('/d', { purge: true }), ...more])])
  await applyIn(world, desired())
  const names = [[0xff], [0x61, 0x0a, 0x62], [0xc3, 0x28], [0x5c, 0x78]].map((bytes) => Buffer.from(bytes))
  for (const name of names) writeFileSync(Buffer.concat([Buffer.from(at('d/')), name]), name)
  mkdirSync(at('full/inside'), { recursive: true })
  chmodSync(at('d'), 0o700)
  const before = treeOf(world.root)
  expect(outcome(await applyIn(world, desired([file('/full', 'x')]), repair))?.kind).toBe('failed')
  expect(treeOf(world.root)).toEqual(before)
  expect(outcome(await applyIn(world, desired(), repair))?.kind).toBe('applied')
  expect(
    world.state.archive
      .list()
      .map(({ path }) => path)
      .toSorted(),
  ).toEqual(['/d/\\x5cx', '/d/\\xc3(', '/d/\\xff', '/d/a\\x0ab'])
})
