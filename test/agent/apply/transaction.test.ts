import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { applyPlan } from '../../../agent/apply/apply.ts'
import { isInSync } from '../../../agent/plan/compare.ts'
import { planFor } from '../../../agent/plan/plan.ts'
import { createRun } from '../../../shared/platform/run.ts'
import type { Resource, UnitResource } from '../../../shared/resource.ts'
import { type FakeSystemd, fakeSystemd } from './fake-systemd.ts'
import {
  applyIn,
  compareIn,
  contents,
  desiredHost,
  directory,
  file,
  idOf,
  makeWorld,
  outcome,
  planIn,
  service,
  symlink,
  treeOf,
  type World,
} from './world.ts'

let world: World
let systemd: FakeSystemd

beforeEach(() => {
  systemd = fakeSystemd(() => world.root, createRun({ graceSeconds: 0.3 }))
  world = makeWorld({ capabilities: { commands: true, units: true }, run: systemd.run })
})
afterEach(() => world.remove())

const at = (path: string) => join(world.root, path)
const text = (path: string) => readFileSync(at(path), 'utf8')
const web = (resources: readonly Resource[], more = {}, revision = '1') =>
  desiredHost([service('web', resources, more)], revision)

function write(path: string, content: string): void {
  mkdirSync(dirname(at(path)), { recursive: true })
  writeFileSync(at(path), content)
}

const unit = (more: Partial<UnitResource> = {}): UnitResource => ({
  kind: 'unit',
  id: idOf('unit', 'web.service'),
  name: 'web.service',
  enabled: true,
  state: 'running',
  ...more,
})
const unitFile = (content = '[Service]') => file('/etc/systemd/system/web.service', content)
const config = (content: string) => file('/etc/web.conf', content)
const reload = { on: [idOf('file', '/etc/web.conf')], action: { kind: 'reload', unit: 'web.service' } } as const
const restart = { on: [idOf('file', '/etc/web.conf')], action: { kind: 'restart', unit: 'web.service' } } as const

test.each<[string, () => void, string?]>([
  ['a file', () => write('a', 'by hand')],
  ['a link that leads nowhere', () => symlinkSync('/by/hand', at('a'))],
  ['a link to a directory', () => symlinkSync('/by/hand', at('a')), 'by/hand/b/c'],
])('an undo takes away what was made below a directory in whose place %s was', async (_, place, others) => {
  await applyIn(world, web([directory('/a')]))
  rmSync(at('a'), { recursive: true })
  place()
  if (others !== undefined) mkdirSync(at(others), { recursive: true })
  const before = treeOf(world.root)
  const own = [directory('/a'), directory('/a/b/c', { mode: 0o700 }), file('/a/d/e', 'one')]
  const failing = { checks: [{ kind: 'run', command: 'false' }] }

  const result = await applyIn(world, web(own, failing), { repair: 'everything' })

  expect(outcome(result)?.kind).toBe('failed')
  expect(treeOf(world.root)).toEqual(before)
})

test('a file that fails its validation never goes live, and the words of the validator are told', async () => {
  write('etc/a', 'old')
  const before = treeOf(world.root)
  const validate = 'grep -q good {} || { echo "unknown directive in {}"; exit 3; }'
  const result = await applyIn(world, web([file('/etc/a', 'new'), file('/etc/b', 'bad', { validate })]))
  expect(outcome(result)).toMatchObject({
    kind: 'failed',
    failure: {
      step: 'validate /etc/b',
      problem: { code: 'validation-failed', message: expect.stringContaining('unknown directive in /etc/b') },
    },
  })
  expect(treeOf(world.root)).toEqual(before)
  const good = await applyIn(world, web([file('/etc/a', 'new'), file('/etc/b', 'good', { validate })]))
  expect(outcome(good)?.kind).toBe('applied')
})

test('a validator gets the staged path as one word, quoted by its author or not', async () => {
  for (const quotes of ['{}', '"{}"', "'{}'"]) {
    const resources = [file(`/etc/plain/${quotes.length}`, quotes, { validate: `test -f ${quotes}` })]
    expect(outcome(await applyIn(world, web(resources))), quotes).toMatchObject({ kind: 'applied' })
  }
  const odd = file("/etc/with space'and;quote/f", 'x', { validate: 'test -f {}' })
  expect(outcome(await applyIn(world, web([odd])))).toMatchObject({ kind: 'applied' })
})

test('a validator sees the mode and the content that will be live, beside its target', async () => {
  const validate =
    'test "$(stat -c %a {})" = 600 && test "$(dirname {})" = "$(dirname {})" && test -d "$(dirname {})/sites"'
  const result = await applyIn(
    world,
    web([directory('/etc/web/sites'), file('/etc/web/conf', 'x', { mode: 0o600, validate })]),
  )
  expect(outcome(result)).toMatchObject({ kind: 'applied' })
})

test.each([
  [
    'a trigger',
    { triggers: [{ on: [idOf('file', '/etc/a')], action: { kind: 'run', command: 'echo no such host; exit 1' } }] },
    'run echo no such host; exit 1',
  ],
  ['a check', { checks: [{ kind: 'run', command: 'test -e /nowhere/at/all' }] }, 'check run `test -e /nowhere/at/all`'],
])(
  'a failing %s puts everything back: files, links, modes, directories, purged entries',
  { timeout: 600_000 },
  async (_, more, step) => {
    const first = web([
      directory('/etc/d', { purge: true, keep: ['kept'] }),
      file('/etc/d/kept', 'x'),
      file('/etc/gone', 'x'),
    ])
    await applyIn(world, first)
    write('etc/a', 'old')
    write('etc/d/theirs', 'by hand')
    write('etc/d/sub/deep', 'by hand')
    write('etc/mode', 'same')
    chmodSync(at('etc/mode'), 0o600)
    const before = treeOf(world.root)
    const next = web(
      [
        directory('/etc/d', { purge: true, mode: 0o700, keep: ['kept'] }),
        file('/etc/d/kept', 'y'),
        file('/etc/a', 'new'),
        file('/etc/mode', 'same'),
        file('/new/deep/f', 'x'),
        symlink('/etc/link', 'a'),
        directory('/new/empty'),
      ],
      more,
      '2',
    )
    const result = await applyIn(world, next, { repair: 'everything' })
    expect(outcome(result)).toMatchObject({ kind: 'failed', failure: { step, revision: next.revision } })
    expect(treeOf(world.root)).toEqual(before)
    expect(world.state.journal.read()).toEqual([])
  },
)

test('a trigger command that had run is run again with what was put back', async () => {
  write('etc/a', 'old')
  const triggers = [
    { on: [idOf('file', '/etc/a')], action: { kind: 'run', command: `cat ${at('etc/a')} >> ${at('log')}` } },
  ]
  await applyIn(
    world,
    web([file('/etc/a', 'new'), file('/b', 'x')], { triggers, checks: [{ kind: 'tcp', address: '127.0.0.1:1' }] }),
  )
  expect(text('log')).toBe('newold')
})

test('a new unit is enabled and started after daemon-reload, and not reloaded as well', async () => {
  const result = await applyIn(world, web([unitFile(), config('x'), unit()], { triggers: [reload] }))
  expect(outcome(result)).toMatchObject({ kind: 'applied' })
  expect(systemd.log).toEqual(['daemon-reload', 'enable web.service', 'reset-failed web.service', 'start web.service'])
})

test('a changed file reloads its unit once, and a second apply does nothing', async () => {
  await applyIn(world, web([unitFile(), config('x'), unit()], { triggers: [reload] }))
  systemd.log.length = 0
  const next = web([unitFile(), config('y'), unit()], { triggers: [reload] }, '2')
  expect(outcome(await applyIn(world, next))).toMatchObject({
    changes: [{ summary: 'wrote /etc/web.conf (content)' }, { summary: 'reloaded web.service' }],
  })
  expect(outcome(await applyIn(world, next))?.kind).toBe('unchanged')
  expect(systemd.log).toEqual(['reload web.service'])
})

test('a unit that was started with its old files before the unit step is reloaded after all', async () => {
  write('etc/systemd/system/web.service', '[Service]')
  await applyIn(world, web([unitFile()]))
  const desired = web([unitFile(), config('x'), unit()], { triggers: [reload] }, '2')
  const comparison = await compareIn(world, desired)
  // As Debian's packages do on installation, between the plan and the unit step.
  systemd.units.set('web.service', { active: true, enabled: true, failed: false })
  const lock = await world.state.lock({ purpose: 'test', now: new Date() })
  const plan = planFor(comparison, { repair: 'by-policy' })
  await applyPlan(plan, { host: world.host, state: world.state, lock, contents, now: () => new Date() })
  lock.release()
  expect(systemd.log).toContain('reload web.service')
})

test('a restart that kills the unit is undone: old file, unit running again', async () => {
  const first = web([unitFile(), config('works'), unit()], { triggers: [restart] })
  await applyIn(world, first)
  systemd.log.length = 0
  const result = await applyIn(world, web([unitFile(), config('broken'), unit()], { triggers: [restart] }, '2'))
  expect(outcome(result)).toMatchObject({ kind: 'failed', failure: { step: 'restart web.service' } })
  expect(text('etc/web.conf')).toBe('works')
  expect(systemd.units.get('web.service')).toMatchObject({ active: true, enabled: true })
  expect(isInSync(await compareIn(world, first))).toBe(true)
})

test('a new unit that does not start leaves nothing: no file, not enabled, not running', async () => {
  const before = treeOf(world.root)
  const result = await applyIn(world, web([unitFile('broken'), unit()]))
  expect(outcome(result)).toMatchObject({ kind: 'failed', failure: { step: 'change units' } })
  expect(treeOf(world.root)).toEqual(before)
  expect(systemd.units.get('web.service')).toMatchObject({ active: false, enabled: false })
  expect(systemd.log.at(-1)).not.toBe('start web.service')
})

test('a failed check takes back a new unit and lets the one that ran run on', async () => {
  const first = web([unitFile(), config('works'), unit()], { triggers: [reload] })
  await applyIn(world, first)
  systemd.log.length = 0
  const result = await applyIn(
    world,
    web([unitFile(), config('new'), unit()], { triggers: [reload], checks: [{ kind: 'run', command: 'false' }] }, '2'),
  )
  expect(outcome(result)).toMatchObject({
    kind: 'failed',
    failure: { step: 'check run `false`', problem: { code: 'check-failed' } },
  })
  expect(text('etc/web.conf')).toBe('works')
  expect(systemd.log).toEqual(['reload web.service', 'reload web.service'])
  expect(systemd.units.get('web.service')).toMatchObject({ active: true })
})

test('a unit of a service that left is stopped and disabled before its file goes', async () => {
  await applyIn(world, web([unitFile(), unit()]))
  systemd.log.length = 0
  const result = await applyIn(world, desiredHost([], '2'))
  expect(outcome(result)).toMatchObject({ kind: 'applied' })
  expect(systemd.log.slice(0, 2)).toEqual(['stop web.service', 'disable web.service'])
  expect(systemd.log).toContain('daemon-reload')
  expect(existsSync(at('etc/systemd/system/web.service'))).toBe(false)
})

test('secrets in the words of a failing command are masked', async () => {
  const desired = web([file('/etc/f', 'p=canary', { validate: 'cat {}; false' })])
  const lock = await world.state.lock({ purpose: 'test', now: new Date() })
  const mask = (words: string) => words.replaceAll('canary', '[secret]')
  const options = { host: world.host, state: world.state, lock, contents, mask, now: () => new Date() }
  const result = await applyPlan(await planIn(world, desired), options)
  lock.release()
  expect(JSON.stringify(result)).toContain('p=[secret]')
  expect(JSON.stringify([result, world.state.failures.read().get(service('web', []).name)])).not.toContain('canary')
})
