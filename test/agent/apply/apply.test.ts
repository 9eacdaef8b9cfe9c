import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { applyPlan } from '../../../agent/apply/apply.ts'
import { isInSync } from '../../../agent/plan/compare.ts'
import { isEmpty } from '../../../agent/plan/plan.ts'
import type { Resource } from '../../../shared/resource.ts'
import { waysOut } from '../../../shared/ways-out.ts'
import {
  applyIn,
  compareIn,
  contents,
  desiredHost,
  directory,
  file,
  makeWorld,
  outcome,
  planIn,
  reportsIn,
  service,
  sha,
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
const web = (resources: readonly Resource[], more = {}) => desiredHost([service('web', resources, more)])

function write(path: string, content: string): void {
  mkdirSync(dirname(at(path)), { recursive: true })
  writeFileSync(at(path), content)
}

async function inSync(desired: Parameters<typeof compareIn>[1]): Promise<boolean> {
  return isInSync(await compareIn(world, desired)) && isEmpty(await planIn(world, desired))
}

test('an empty host becomes what the repository says, and a second apply changes nothing', async () => {
  const desired = web([
    file('/etc/app/conf', 'hello', { mode: 0o600 }),
    symlink('/etc/app/link', 'conf'),
    directory('/etc/app/sites.d', { mode: 0o750, purge: true }),
  ])
  const first = await applyIn(world, desired)
  expect(outcome(first)).toMatchObject({
    kind: 'applied',
    changes: [
      { summary: 'made /etc/app/sites.d', resource: 'directory:/etc/app/sites.d' },
      { summary: 'wrote /etc/app/conf (new)', resource: 'file:/etc/app/conf', source: 'services/x/files/etc/app/conf' },
      { summary: 'linked /etc/app/link to conf' },
    ],
  })
  expect(text('etc/app/conf')).toBe('hello')
  expect(statSync(at('etc/app/conf')).mode & 0o7777).toBe(0o600)
  expect(readlinkSync(at('etc/app/link'))).toBe('conf')
  expect(statSync(at('etc/app/sites.d')).mode & 0o7777).toBe(0o750)
  expect(await inSync(desired)).toBe(true)
  const before = treeOf(world.root)
  expect(outcome(await applyIn(world, desired))).toEqual({ kind: 'unchanged', service: 'web' })
  expect(treeOf(world.root)).toEqual(before)
})

test('what is right already is adopted without a write, and drift of it is then known', async () => {
  write('etc/f', 'hello')
  const desired = web([file('/etc/f', 'hello')])
  const before = treeOf(world.root)
  expect(outcome(await applyIn(world, desired))?.kind).toBe('unchanged')
  expect(treeOf(world.root)).toEqual(before)
  write('etc/f', 'edited')
  const [report] = await reportsIn(world, desired)
  expect(report).toMatchObject({ applied: desired.revision, pending: [], findings: [{ resource: 'file:/etc/f' }] })
  expect(report?.findings[0]?.diff).toContain('-hello')
  expect(report?.findings[0]?.evidence.modifiedAt).toMatch(/^20.*Z$/)
})

test('drift is told with its diff and left alone; repaired when asked', async () => {
  const desired = web([file('/etc/f', 'one\ntwo\n')])
  await applyIn(world, desired)
  write('etc/f', 'one\n2\n')
  chmodSync(at('etc/f'), 0o666)
  const [report] = await reportsIn(world, desired)
  expect(report?.findings).toMatchObject([
    {
      summary: '/etc/f: content differs; mode is 0666, should be 0644',
      diff: '--- last applied: services/x/files/etc/f\n+++ live: /etc/f\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n',
      diffCut: false,
    },
  ])
  expect(outcome(await applyIn(world, desired))?.kind).toBe('unchanged')
  expect(text('etc/f')).toBe('one\n2\n')
  const repaired = await applyIn(world, desired, { repair: 'everything' })
  expect(outcome(repaired)).toMatchObject({ changes: [{ summary: 'wrote /etc/f (content, mode)' }] })
  expect(text('etc/f')).toBe('one\ntwo\n')
  expect(await inSync(desired)).toBe(true)
})

test('an edit made by hand that an apply overwrites is kept', async () => {
  await applyIn(world, web([file('/etc/f', 'one')]))
  write('etc/f', 'typed at 3 a.m.')
  await applyIn(world, desiredHost([service('web', [file('/etc/f', 'two')])], '2'))
  expect(text('etc/f')).toBe('two')
  const [displaced] = world.state.archive.list()
  const was = { type: 'file', sha256: sha('typed at 3 a.m.'), mode: 0o644, size: 15 }
  expect(displaced).toMatchObject({ path: '/etc/f', service: 'web', why: 'overwritten', was })
  expect(Buffer.from(world.state.objects.get(was.sha256) ?? '').toString()).toBe('typed at 3 a.m.')
})

test('what a link or a directory replaces is kept too', async () => {
  write('a', 'typed a')
  await applyIn(world, web([symlink('/a', 'x'), file('/b', 'x')]))
  write('b', 'typed b')
  await applyIn(world, desiredHost([service('web', [symlink('/a', 'x'), symlink('/b', 'x')])], '2'))
  expect(world.state.archive.list().map(({ path }) => path)).toEqual(['/a', '/b'])
})

test('a file with a mode of its own only is corrected in place', async () => {
  const desired = web([file('/etc/f', 'x')])
  await applyIn(world, desired)
  chmodSync(at('etc/f'), 0o600)
  const { ino } = lstatSync(at('etc/f'))
  await applyIn(world, desired, { repair: 'everything' })
  expect(lstatSync(at('etc/f')).ino).toBe(ino)
  expect(lstatSync(at('etc/f')).mode & 0o777).toBe(0o644)
})

test('a directory of somebody else does not go with the one above it, although all in it was from the repository', async () => {
  mkdirSync(at('a/b'), { recursive: true })
  await applyIn(world, web([file('/a/b/c', 'one'), file('/a/d', 'one')]))
  const before = treeOf(world.root)

  const result = await applyIn(world, web([file('/a', 'two')]))

  expect(outcome(result)).toMatchObject({
    kind: 'failed',
    failure: { problem: { message: 'a directory is in the way, with b in it.' } },
  })
  expect(treeOf(world.root)).toEqual(before)
})

test('what was kept of a file is forgotten, although the link that led to it makes room in the same apply', async () => {
  mkdirSync(at('x'))
  symlinkSync('x', at('a'))
  const two = (resources: Parameters<typeof service>[1]) =>
    service('two', resources, { after: [service('one', []).name] })
  await applyIn(world, desiredHost([service('one', [file('/a/d', 'below')]), two([])]))
  await applyIn(world, desiredHost([service('one', []), two([file('/a', 'a file now')])], '2'))
  expect(readFileSync(at('a'), 'utf8')).toBe('a file now')
  expect(readdirSync(at('x'))).toEqual([])
})

test('a FIFO, a link and a directory in place of a file are drift by type; only the directory is not replaced', async () => {
  const desired = web([file('/a', 'x'), file('/b', 'x'), file('/c', 'x')])
  await applyIn(world, desired)
  for (const name of ['a', 'b', 'c']) unlinkSync(at(name))
  execFileSync('mkfifo', [at('a')])
  symlinkSync('/etc/shadow', at('b'))
  const [report] = await reportsIn(world, desired)
  expect(report?.findings.map(({ summary }) => summary)).toEqual([
    '/a: a fifo, should be a file',
    '/b: a symlink, should be a file',
    '/c: missing',
  ])
  await applyIn(world, desired, { repair: 'everything' })
  expect(await inSync(desired)).toBe(true)
  unlinkSync(at('a'))
  mkdirSync(at('a'))
  const before = treeOf(world.root)
  const failed = await applyIn(world, desired, { repair: 'everything' })
  expect(outcome(failed)).toMatchObject({
    kind: 'failed',
    failure: { problem: { message: 'a directory is in the way.' } },
  })
  expect(treeOf(world.root)).toEqual(before)
})

test.each<[string, Resource]>([
  ['a file', file('/etc/d', 'x')],
  ['a link', symlink('/etc/d', '/usr/lib/d')],
])(
  'a directory that becomes %s, and that holds what a person made: the names are told, and nothing is lost',
  async (_, becomes) => {
    await applyIn(world, web([directory('/etc/d', {}), file('/etc/d/ours', 'x')]))
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) write(`etc/d/by-hand-${name}`, name)
    const before = treeOf(world.root)
    const failed = outcome(await applyIn(world, web([becomes])))
    expect(failed).toMatchObject({
      failure: {
        problem: {
          message:
            'a directory is in the way, with by-hand-a, by-hand-b, by-hand-c, by-hand-d, by-hand-e and 1 more in it.',
        },
      },
    })
    expect(treeOf(world.root)).toEqual(before)
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) unlinkSync(at(`etc/d/by-hand-${name}`))
    expect(outcome(await applyIn(world, web([becomes])))).toMatchObject({ kind: 'applied' })
  },
)

test('a purged directory loses what the repository does not have, and that is kept', async () => {
  const desired = web([directory('/etc/d', { purge: true, keep: ['ours'] }), file('/etc/d/ours', 'x')])
  await applyIn(world, desired)
  write('etc/d/theirs', 'typed by hand')
  write('etc/d/sub/deep', 'deep')
  symlinkSync('/', at('etc/d/link'))
  const [report] = await reportsIn(world, desired)
  expect(report?.findings).toMatchObject([{ summary: '/etc/d: not in the repository: link, sub, theirs' }])
  const result = await applyIn(world, desired, { repair: 'everything' })
  expect(outcome(result)).toMatchObject({ changes: [{ summary: 'removed from /etc/d: link, sub, theirs' }] })
  expect(readdirSync(at('etc/d'))).toEqual(['ours'])
  expect(world.state.archive.list().map(({ path }) => path)).toEqual([
    '/etc/d/link',
    '/etc/d/sub/deep',
    '/etc/d/theirs',
  ])
  expect(await inSync(desired)).toBe(true)
})

test('a purge is of the entries directly in a directory: one that holds something of the repository stays whole, unless it is named too', async () => {
  // As desire works it out of files/etc/app/main.conf and files/etc/app/conf.d/ours.conf.
  const [app, inner] = [
    directory('/etc/app', { purge: true, keep: ['conf.d', 'main.conf'] }),
    directory('/etc/app/conf.d', { purge: true, keep: ['ours.conf'] }),
  ]
  const files = [file('/etc/app/main.conf', 'x'), file('/etc/app/conf.d/ours.conf', 'x')]
  await applyIn(world, web([app, ...files]))
  for (const path of ['main.conf.bak', 'old/deep/f', 'conf.d/theirs.conf', 'conf.d/more/f'])
    write(`etc/app/${path}`, 'by hand')

  await applyIn(world, web([app, ...files], '2'), { repair: 'everything' })

  expect(readdirSync(at('etc/app'))).toEqual(['conf.d', 'main.conf'])
  expect(readdirSync(at('etc/app/conf.d'))).toEqual(['more', 'ours.conf', 'theirs.conf'])
  expect(await inSync(web([app, ...files], '2'))).toBe(true)

  await applyIn(world, web([app, inner, ...files], '3'), { repair: 'everything' })

  expect(readdirSync(at('etc/app/conf.d'))).toEqual(['ours.conf'])
})

test('what leaves the repository is removed, what its service keeps stays', async () => {
  await applyIn(
    world,
    desiredHost([
      service('web', [file('/etc/a', 'x'), symlink('/etc/l', 'a'), directory('/etc/d'), file('/etc/d/f', 'x')]),
      service('kept', [file('/etc/k', 'x')], { onRemove: 'keep' }),
      service('gone', [file('/opt/g', 'x')]),
    ]),
  )
  const next = desiredHost([service('web', [file('/etc/b', 'x')])], '2')
  const result = await applyIn(world, next)
  expect(result.services.map(({ service: name, kind }) => [name, kind])).toEqual([
    ['gone', 'applied'],
    ['kept', 'unchanged'],
    ['web', 'applied'],
  ])
  expect(treeOf(world.root).map((line) => line.split(' ')[0])).toEqual(['etc', 'etc/b', 'etc/k'])
  expect([...world.state.baselines.read().baselines.keys()]).toEqual(['web'])
  expect(await inSync(next)).toBe(true)
})

test('paths that change their kind, in every direction, are carried through', async () => {
  const kinds: readonly Resource[][] = [
    [file('/x', 'a file'), file('/y', 'a file')],
    [symlink('/x', 'elsewhere'), file('/y/below', 'deep')],
    [directory('/x'), file('/y', 'a file')],
    [file('/x', 'a file'), directory('/y')],
    [file('/x/below', 'deep'), symlink('/y', 'elsewhere')],
    [symlink('/x', 'elsewhere'), directory('/y'), file('/y/below', 'deep')],
  ]
  for (const [index, resources] of [...kinds, ...kinds.toReversed().slice(1)].entries()) {
    const desired = desiredHost([service('web', resources)], String(index + 1))
    expect(outcome(await applyIn(world, desired)), `revision ${index + 1}`).toMatchObject({ kind: 'applied' })
    expect(await inSync(desired)).toBe(true)
    expect(treeOf(world.root).join('\n')).not.toContain('.plumb-')
  }
})

test('a file that moves to another service stays as it is', async () => {
  await applyIn(world, desiredHost([service('old', [file('/f', 'x')])]))
  const before = treeOf(world.root)
  const next = desiredHost([service('web', [file('/f', 'x')])], '2')
  await applyIn(world, next)
  expect(treeOf(world.root)).toEqual(before)
  expect([...world.state.baselines.read().baselines.keys()]).toEqual(['web'])
})

test('a service that fails is put back and told; those after it are skipped, the others proceed', async () => {
  write('db/conf', 'old')
  mkdirSync(at('db/in-the-way'))
  const desired = desiredHost([
    service('db', [file('/db/conf', 'new'), file('/db/in-the-way', 'x')]),
    service('web', [file('/web', 'x')], { after: [service('db', []).name] }),
    service('proxy', [file('/proxy', 'x')], { after: [service('web', []).name] }),
    service('other', [file('/other', 'x')]),
  ])
  const result = await applyIn(world, desired)
  expect(result.services).toMatchObject([
    {
      kind: 'failed',
      failure: {
        step: 'write /db/in-the-way',
        attempts: 1,
        problem: { service: 'db', where: { file: '/db/in-the-way' } },
      },
    },
    { kind: 'skipped', reason: 'db, which it is after, was not applied.' },
    { kind: 'skipped' },
    { kind: 'applied' },
  ])
  expect(text('db/conf')).toBe('old')
  expect(existsSync(at('other'))).toBe(true)
  expect(treeOf(world.root).join('\n')).not.toContain('.plumb-')
  const reports = await reportsIn(world, desired)
  expect(reports.map(({ failure, applied }) => [failure?.attempts, applied !== undefined])).toEqual([
    [1, false],
    [undefined, false],
    [undefined, false],
    [undefined, true],
  ])
  expect(outcome(await applyIn(world, desired), 'db')).toMatchObject({ failure: { attempts: 2 } })
  rmSync(at('db/in-the-way'), { recursive: true })
  expect(outcome(await applyIn(world, desired), 'db')?.kind).toBe('applied')
  expect((await reportsIn(world, desired)).every(({ failure }) => failure === undefined)).toBe(true)
})

test('content in the clone that is not what the revision says is not written', async () => {
  const result = await applyIn(
    world,
    web([file('/f', 'x', { content: { kind: 'rendered', bytes: Buffer.from('y') } })]),
  )
  expect(outcome(result)).toMatchObject({ failure: { problem: { code: 'repository-corrupt' } } })
  expect(existsSync(at('f'))).toBe(false)
})

test('a plan that was made before an interrupted apply is not applied', async () => {
  const desired = web([file('/f', 'x')])
  const plan = await planIn(world, desired)
  await world.state.journal.append({ kind: 'undone', service: 'web' })
  const lock = await world.state.lock({ purpose: 'test', now: new Date() })
  const options = { host: world.host, contents, state: world.state, lock, now: () => new Date() }
  await expect(applyPlan(plan, options)).rejects.toThrow('has not been recovered')
  lock.release()
})

test.runIf(asRoot)('a full disk fails its service with what to do, and the others are applied', async () => {
  mkdirSync(at('small'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', at('small')])
  try {
    write('small/f', 'old')
    const desired = desiredHost([
      service('large', [file('/small/f', 'new'), file('/small/large', Buffer.alloc(100_000, 'x'))]),
      service('other', [file('/other', 'x')]),
    ])
    const result = await applyIn(world, desired)
    expect(result.services).toMatchObject([
      { kind: 'failed', failure: { problem: { code: 'disk-full', remedy: expect.stringContaining('df') } } },
      { kind: 'applied' },
    ])
    expect(text('small/f')).toBe('old')
    expect(readdirSync(at('small'))).toEqual(['f'])
  } finally {
    execFileSync('umount', [at('small')])
  }
})

test.runIf(asRoot)('a full state directory fails what would change, before it is changed', async () => {
  const stateDirectory = join(world.directory, 'small-state')
  mkdirSync(stateDirectory)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', stateDirectory])
  const small = makeWorld({ stateDirectory })
  try {
    const first = web([file('/f', 'one')])
    await applyIn(small, first)
    const lock = await small.state.lock({ purpose: 'test', now: new Date() })
    const plan = await planIn(small, desiredHost([service('web', [file('/f', 'two')])], '2'))
    try {
      writeFileSync(join(stateDirectory, 'filler'), Buffer.alloc(1024 * 1024))
    } catch {}
    const before = treeOf(small.root)
    const options = { host: small.host, contents, state: small.state, lock, now: () => new Date() }
    const result = await applyPlan(plan, options)
    expect(outcome(result)).toMatchObject({ kind: 'failed', failure: { problem: { code: 'disk-full' } } })
    expect(treeOf(small.root)).toEqual(before)
    lock.release()
    rmSync(join(stateDirectory, 'filler'))
    expect(outcome(await applyIn(small, desiredHost([service('web', [file('/f', 'two')])], '2')))?.kind).toBe('applied')
  } finally {
    execFileSync('umount', ['-l', stateDirectory])
    small.remove()
  }
})

test.runIf(asRoot)('an immutable file fails its service, and what came before it is put back', async () => {
  write('etc/a', 'old')
  write('etc/b', 'old')
  execFileSync('chattr', ['+i', at('etc/b')])
  const before = treeOf(world.root)
  try {
    const result = await applyIn(world, web([file('/etc/a', 'new'), file('/etc/b', 'new')]))
    expect(outcome(result)).toMatchObject({ failure: { problem: { code: 'read-only', where: { file: '/etc/b' } } } })
    expect(treeOf(world.root)).toEqual(before)
  } finally {
    execFileSync('chattr', ['-i', at('etc/b')])
  }
})

test.runIf(asRoot)(
  'a parent that became a link of another user is drift, and nothing is written through it',
  async () => {
    const desired = web([file('/home/alice/conf', 'x')])
    await applyIn(world, desired)
    const outside = join(world.directory, 'outside')
    mkdirSync(outside)
    rmSync(at('home/alice'), { recursive: true })
    symlinkSync(outside, at('home/alice'))
    execFileSync('chown', ['-h', '1000:1000', at('home/alice')])
    const [report] = await reportsIn(world, desired)
    expect(report?.findings).toMatchObject([
      { summary: '/home/alice/conf: behind an unsafe link at /home/alice, not followed' },
    ])
    if (report === undefined) throw new Error('no report')
    expect(waysOut(report)).toEqual([{ kind: 'unsafe-link' }])
    const result = await applyIn(world, desired, { repair: 'everything' })
    expect(outcome(result)).toMatchObject({ failure: { problem: { code: 'unsafe-path' } } })
    expect(readdirSync(outside)).toEqual([])
    // The way out.
    rmSync(at('home/alice'))
    mkdirSync(at('home/alice'))
    expect(outcome(await applyIn(world, desired, { repair: 'everything' }))).toMatchObject({ kind: 'applied' })
  },
)

test('a secret that somebody edited live is not in the report', async () => {
  const token = 'canary-4711-canary'
  const desired = web([file('/etc/f', `token=${token}\nport=1\n`, { secrets: ['token'] })])
  await applyIn(world, desired)
  write('etc/f', `token=${token}x\nport=2\n`)
  const reports = await reportsIn(world, desired, [token])
  expect(reports[0]?.findings[0]?.diff).toContain('[secret]')
  expect(JSON.stringify(reports)).not.toContain('canary')
  const next = desiredHost(
    [service('web', [file('/etc/f', 'token=other-value\nport=1\n', { secrets: ['token'] })])],
    '2',
  )
  const rotated = await reportsIn(world, next, ['other-value'])
  expect(rotated[0]?.findings).toHaveLength(1)
  expect(JSON.stringify(rotated)).not.toContain('canary')
})
