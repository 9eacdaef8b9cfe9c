import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, readFileSync, renameSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import type { HostWriter } from '../../../agent/host/host.ts'
import { contentsFor } from '../../../agent/observe/contents.ts'
import { observeHost } from '../../../agent/observe/observe.ts'
import type { ReadContents } from '../../../agent/resources/kind.ts'
import { absolutePathSchema } from '../../../shared/names.ts'
import type { FileResource } from '../../../shared/resource.ts'
import {
  applyIn,
  compareIn,
  desiredHost,
  directory,
  file,
  idOf,
  makeWorld,
  outcome,
  service,
  sha,
  symlink,
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
const web = (...resources: Parameters<typeof service>[1]) => desiredHost([service('web', resources)])

function write(path: string, content: string): void {
  mkdirSync(dirname(at(path)), { recursive: true })
  writeFileSync(at(path), content)
}

const observed = async (desired: ReturnType<typeof web>, full = false) =>
  (await observeHost(desired, world.state.baselines.read().baselines, world.host, { full })).resources

test('observing changes nothing, neither content nor times', async () => {
  write('etc/f', 'x')
  write('etc/d/extra', 'x')
  utimesSync(at('etc/f'), 1000, 1000)
  const before = treeOf(world.root)
  await observed(
    web(file('/etc/f', 'y'), directory('/etc/d', { purge: true }), symlink('/etc/l', 'f'), file('/new/f', 'x')),
  )
  expect(treeOf(world.root)).toEqual(before)
})

test('a stat that is as before saves the hash; a full check sees through a forged one', async () => {
  write('etc/f', 'one')
  const desired = web(file('/etc/f', 'one'))
  const stat = world.host.files.stat(file('/etc/f', '').path)
  if (stat === undefined) throw new Error('no file')
  // A memory that was deceived, as by somebody who wrote to the disk behind the file system.
  world.state.hashes.set(file('/etc/f', '').path, stat, sha('forged'), Date.now() + 10_000)
  const content = async (full: boolean) =>
    (await observed(desired, full)).get(idOf('file', '/etc/f'))?.attributes['content']
  expect(await content(false)).toBe(sha('forged'))
  expect(await content(true)).toBe(sha('one'))
  expect(await content(false)).toBe(sha('one'))
})

test('what did not move is not looked at again, and is what a full check last found', async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 10_000 })
  onTestFinished(() => void vi.useRealTimers())
  write('etc/f', 'one')
  write('etc/g', 'one')
  const desired = web(file('/etc/f', 'one'), file('/etc/g', 'one'), file('/etc/missing', 'one'))
  vi.setSystemTime(Date.now() + 10_000)
  const inspect = vi.spyOn(world.host.files, 'inspect')
  const first = await observed(desired)
  expect(inspect).toHaveBeenCalledTimes(3)

  expect(await observed(desired)).toBe(first)
  expect(inspect).toHaveBeenCalledTimes(3)

  write('etc/g', 'two')
  const last = await observed(desired)
  expect(inspect).toHaveBeenCalledTimes(4)
  expect(last.get(idOf('file', '/etc/g'))?.attributes['content']).toBe(sha('two'))
  expect(last.get(idOf('file', '/etc/f'))).toBe(first.get(idOf('file', '/etc/f')))
})

test.runIf(asRoot)('a user that is called otherwise is seen, though no file moved', async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 10_000 })
  onTestFinished(() => void vi.useRealTimers())
  write('etc/passwd', 'ann:x:1234::::\nbob:x:1235::::\n')
  write('etc/group', 'ann:x:1234:\n')
  write('etc/f', 'one')
  chownSync(at('etc/f'), 1234, 1234)
  const host: HostWriter = { ...world.host, capabilities: { ...world.host.capabilities, ownership: true } }
  const desired = web(file('/etc/f', 'one', { owner: 'ann', group: 'ann' }))
  const none = new Map()
  const owner = async () => {
    const { resources } = await observeHost(desired, none, host, { full: false })
    return resources.get(idOf('file', '/etc/f'))?.attributes['owner']
  }
  vi.setSystemTime(Date.now() + 10_000)
  for (const _ of ['looked at', 'as it was']) expect(await owner()).toBe('ann')

  write('etc/passwd', 'bob:x:1234::::\nann:x:1235::::\n')

  expect(await owner()).toBe('bob')
})

test('content exchanged with size and modification time kept is seen', async () => {
  write('etc/f', 'one')
  const desired = web(file('/etc/f', 'one'))
  await applyIn(world, desired)
  const { mtime, atime } = statSync(at('etc/f'))
  const stat = world.host.files.stat(file('/etc/f', '').path)
  if (stat !== undefined) world.state.hashes.set(file('/etc/f', '').path, stat, sha('one'), Date.now() + 10_000)
  writeFileSync(at('etc/f'), 'two')
  utimesSync(at('etc/f'), atime, mtime)
  const { services } = await compareIn(world, desired)
  expect(services[0]?.resources[0]?.comparison.drift).toMatchObject([{ name: 'content', live: sha('two') }])
})

test('evidence comes with what differs', async () => {
  write('etc/f', 'x')
  utimesSync(at('etc/f'), 1000, 1000)
  const live = (await observed(web(file('/etc/f', 'y')))).get(idOf('file', '/etc/f'))
  expect(live).toMatchObject({
    size: 1,
    modifiedAt: '1970-01-01T00:16:40.000Z',
    changedAt: expect.stringMatching(/^20/),
  })
})

test('packages, units and containers of a sandbox are not looked at', async () => {
  const unit = { kind: 'unit', id: idOf('unit', 'x.service'), name: 'x.service', state: 'running' } as const
  const desired = web(unit, { kind: 'package', id: idOf('package', 'nginx'), name: 'nginx' }, file('/f', 'x'))
  expect([...(await observed(desired)).keys()]).toEqual(['file:/f'])
})

test('a kind that cannot be looked at is a problem of each of its resources, the others are seen', async () => {
  const run = async () => ({ code: 127, stdout: '', stderr: 'systemctl: not installed' })
  const host: HostWriter = { ...world.host, query: run, run, capabilities: { ...world.host.capabilities, units: true } }
  const unit = { kind: 'unit', id: idOf('unit', 'x.service'), name: 'x.service', state: 'running' } as const
  const live = await observeHost(web(unit, file('/f', 'x')), new Map(), host, { full: false })
  expect(live.problems.get(unit.id)).toMatchObject({ code: 'observe-failed' })
  expect(live.resources.get(idOf('file', '/f'))?.attributes).toEqual({ type: 'missing' })
})

test.runIf(asRoot)('a file that an ordinary user may not read is a problem, not drift', () => {
  write('secret/f', 'x')
  chmodSync(at('secret/f'), 0o600)
  for (const path of [world.directory, world.root, at('secret')]) chmodSync(path, 0o755)
  const script = join(import.meta.dirname, 'observe-as-nobody.ts')
  const told = execFileSync(process.execPath, [script, world.root], { uid: 65534, gid: 65534, encoding: 'utf8' })
  expect(JSON.parse(told)).toEqual({
    problems: [{ code: 'observe-failed', where: { file: '/secret/f' }, remedy: 'Run it as root.' }],
    seen: ['file:/open'],
  })
})

test.runIf(asRoot)(
  'owners are compared and set by the names of the sandbox, and unknown ones are left out',
  async () => {
    write('etc/passwd', 'root:x:0:0::/:/bin/sh\nweb:x:4001:4001::/:/bin/sh\n')
    write('etc/group', 'root:x:0:\nweb:x:4002:\n')
    world = world.again()
    const own = file('/srv/f', 'x', { owner: 'web', group: 'web', mode: 0o640 })
    const desired = web(
      own,
      file('/srv/g', 'x', { owner: 'nobody-here' }),
      directory('/srv/d', { owner: 'web', group: 'root' }),
    )
    await applyIn(world, desired)
    const stat = statSync(at('srv/f'))
    expect([stat.uid, stat.gid, statSync(at('srv/d')).uid, statSync(at('srv/g')).uid]).toEqual([4001, 4002, 4001, 0])
    execFileSync('chown', ['0:0', at('srv/f'), at('srv/d')])
    const { services } = await compareIn(world, desired)
    expect(services[0]?.resources.map(({ comparison }) => comparison.drift)).toEqual([
      [
        { name: 'owner', expected: 'web', live: 'root', codes: ['owner'] },
        { name: 'group', expected: 'web', live: 'root', codes: ['group'] },
      ],
      [],
      [{ name: 'owner', expected: 'web', live: 'root', codes: ['owner'] }],
    ])
    await applyIn(world, desired, { repair: 'everything' })
    expect([statSync(at('srv/f')).uid, statSync(at('srv/f')).mode & 0o777, statSync(at('srv/d')).uid]).toEqual([
      4001, 0o640, 4001,
    ])
  },
)

test.runIf(asRoot)('on a whole host a user who does not exist fails the service and says how to make one', async () => {
  write('etc/passwd', 'root:x:0:0::/:/bin/sh\n')
  write('etc/group', 'root:x:0:\n')
  world = world.again()
  const whole: World = {
    ...world,
    host: { ...world.host, root: absolutePathSchema.parse('/') },
  }
  const result = await applyIn(whole, web(file('/srv/f', 'x', { owner: 'caddy' })))
  expect(outcome(result)).toMatchObject({
    failure: {
      problem: {
        message: 'there is no user "caddy" on this host to give it to.',
        remedy: expect.stringContaining('u caddy -'),
      },
    },
  })
})

test('the applied side of a diff comes from the clone, and once drifted also without it', async () => {
  const applied = 'one\n'
  const blob: FileResource = { ...file('/f', applied), content: { kind: 'blob', oid: 'of one' } }
  write('f', applied)
  await applyIn(world, web(blob))
  write('f', 'edited\n')
  const next = desiredHost([service('web', [file('/f', 'two\n')])], '2')
  const sides = async (contents: ReadContents) => {
    const { services } = await compareIn(world, next)
    const differing = services.flatMap(({ resources }) => resources)
    const readers = { host: world.host, objects: world.state.objects, contents }
    const found = (await contentsFor(differing, readers)).get(blob.id)
    return [found?.baseline, found?.desired, found?.live].map((bytes) => bytes && Buffer.from(bytes).toString())
  }
  const clone: ReadContents = async (sources) =>
    sources.map((source) =>
      source.kind === 'rendered' ? source.bytes : Buffer.from(source.oid === 'of one' ? applied : ''),
    )
  const noClone: ReadContents = async (sources) =>
    sources.map((source) => (source.kind === 'rendered' ? source.bytes : new Uint8Array()))
  expect((await sides(clone)).toSorted()).toEqual(['edited\n', 'one\n', 'two\n'])
  expect((await sides(noClone)).toSorted()).toEqual(['edited\n', 'one\n', 'two\n'])
})

test('ten thousand files are observed without stopping the event loop for long', { timeout: 600_000 }, async () => {
  const files = Array.from({ length: 10_000 }, (_, index) => file(`/many/${index % 100}/${index}`, ''))
  for (let index = 0; index < 100; index += 1) mkdirSync(at(`many/${index}`), { recursive: true })
  for (const { path } of files) writeFileSync(at(path), '')
  let turns = 0
  let isDone = false
  const counting = (async () => {
    while (!isDone) {
      turns += 1
      await new Promise((resolve) => setImmediate(resolve))
    }
  })()
  const live = await observed(web(...files))
  isDone = true
  await counting
  expect(live.size).toBe(10_000)
  expect(turns).toBeGreaterThan(5)
})

test('a directory exchanged for another while the agent runs is seen anew by the next pass', async () => {
  write('etc/app/f', 'one')
  const desired = web(file('/etc/app/f', 'one'))
  const content = async () => (await observed(desired)).get(idOf('file', '/etc/app/f'))?.attributes['content']
  expect(await content()).toBe(sha('one'))
  renameSync(at('etc/app'), at('etc/old'))
  write('etc/app/f', 'two')
  expect(await content()).toBe(sha('two'))
  expect(readFileSync(at('etc/old/f'), 'utf8')).toBe('one')
})
