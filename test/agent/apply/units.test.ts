// What an apply does to units, and that the plan says exactly this. systemd is a fake; the real one is in test/lab/units.test.ts.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { drifted, isInSync } from '../../../agent/plan/compare.ts'
import { effectOf, effectsOf } from '../../../agent/plan/effects.ts'
import { isEmpty, type Plan } from '../../../agent/plan/plan.ts'
import { stepLines } from '../../../agent/plan/text.ts'
import { unitKind } from '../../../agent/resources/unit.ts'
import { createRun } from '../../../shared/platform/run.ts'
import type { DesiredHost, DesiredService, Resource, TriggerAction, UnitResource } from '../../../shared/resource.ts'
import { type FakeSystemd, fakeSystemd } from './fake-systemd.ts'
import {
  applyIn,
  compareIn,
  desiredHost,
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
const web = (resources: readonly Resource[], more: Partial<DesiredService> = {}, revision = '1') =>
  desiredHost([service('web', resources, more)], revision)

function write(path: string, content: string): void {
  mkdirSync(dirname(at(path)), { recursive: true })
  writeFileSync(at(path), content)
}

const unit = (
  name = 'web.service',
  more: Partial<UnitResource> = { enabled: true, state: 'running' },
): UnitResource => ({
  kind: 'unit',
  id: idOf('unit', name),
  name,
  ...more,
})
const unitFile = (content = '[Service]', name = 'web.service') => file(`/etc/systemd/system/${name}`, content)
const config = (content: string) => file('/etc/web.conf', content)
const on = (path: string, action: TriggerAction) => ({ on: [idOf('file', path)], action })
const reload = on('/etc/web.conf', { kind: 'reload', unit: 'web.service' })
const restart = on('/etc/systemd/system/web.service', { kind: 'restart', unit: 'web.service' })

const linesOf = (plan: Plan) => plan.services.flatMap(({ steps }) => steps.flatMap(stepLines))

/** The plan's lines, and what systemd was then told; fails when the changes are not what the plan says. */
async function planAndApply(desired: DesiredHost) {
  systemd.log.length = 0
  const plan = await planIn(world, desired)
  const result = await applyIn(world, desired)
  const changes = result.services.flatMap((one) => (one.kind === 'applied' ? one.changes : []))
  expect(changes.map(effectOf)).toEqual(effectsOf(plan).map(({ isCertain: _, ...effect }) => effect))
  expect(isInSync(await compareIn(world, desired))).toBe(true)
  return { lines: linesOf(plan), told: [...systemd.log], changes: changes.map(({ summary }) => summary) }
}

test('a new unit: the plan says what is done, and no reload, since it starts with the new files', async () => {
  const desired = web([unitFile(), config('x'), unit()], { triggers: [reload, restart] })
  expect(await planAndApply(desired)).toEqual({
    lines: [
      'write /etc/systemd/system/web.service (new)',
      'write /etc/web.conf (new)',
      'run systemctl daemon-reload',
      'enable and start web.service',
    ],
    told: ['daemon-reload', 'enable web.service', 'reset-failed web.service', 'start web.service'],
    changes: [
      'wrote /etc/systemd/system/web.service (new)',
      'wrote /etc/web.conf (new)',
      'ran systemctl daemon-reload',
      'enabled and started web.service',
    ],
  })
})

test('a changed file reloads a unit that runs, and only that', async () => {
  write('etc/systemd/system/web.service', '[Service]')
  const one = await planAndApply(web([config('one')], { triggers: [reload] }))
  expect(one).toMatchObject({ lines: ['write /etc/web.conf (new)'], told: [] })
  systemd.units.set('web.service', { active: true, enabled: true, failed: false })
  const two = await planAndApply(web([config('two')], { triggers: [reload] }, '2'))
  expect(two).toMatchObject({
    lines: ['write /etc/web.conf (content)', 'reload web.service'],
    told: ['reload web.service'],
  })
})

test('a changed unit file of a unit that is also to be enabled restarts it once', async () => {
  const first = web([unitFile(), unit('web.service', { enabled: false, state: 'running' })], { triggers: [restart] })
  await planAndApply(first)
  const next = web([unitFile('[Service] # two'), unit()], { triggers: [restart] }, '2')
  const { told } = await planAndApply(next)
  expect(told).toEqual(['daemon-reload', 'enable web.service', 'reset-failed web.service', 'restart web.service'])
})

test('a unit that is to be stopped is not started by a change of its file', async () => {
  const stopped = unit('web.service', { enabled: true, state: 'stopped' })
  await planAndApply(web([unitFile(), stopped], { triggers: [restart] }))
  const changed = await planAndApply(web([unitFile('[Service] # two'), stopped], { triggers: [restart] }, '2'))
  expect(changed.told).toEqual(['daemon-reload'])
  systemd.units.set('web.service', { active: true, enabled: true, failed: false })
  const by = web([unitFile('[Service] # three'), { ...stopped, enabled: false }], { triggers: [restart] }, '3')
  systemd.log.length = 0
  expect(linesOf(await planIn(world, by, { repair: 'everything' }))).toEqual([
    'write /etc/systemd/system/web.service (content)',
    'run systemctl daemon-reload',
    'disable and stop web.service',
  ])
  await applyIn(world, by, { repair: 'everything' })
  expect(systemd.log).toEqual(['daemon-reload', 'stop web.service', 'disable web.service', 'disable web.service'])
})

test('a unit that goes and one that comes in one apply: the one is stopped first, the other started last', async () => {
  await planAndApply(web([unitFile('[Service]', 'old.service'), unit('old.service')]))
  const next = await planAndApply(web([unitFile('[Service]', 'new.service'), unit('new.service')], {}, '2'))
  expect(next.lines).toEqual([
    'disable and stop old.service',
    'write /etc/systemd/system/new.service (new)',
    'remove /etc/systemd/system/old.service',
    'run systemctl daemon-reload',
    'enable and start new.service',
  ])
  expect(next.told.slice(0, 2)).toEqual(['stop old.service', 'disable old.service'])
  expect(next.told.at(-1)).toBe('start new.service')
})

test('what a later service changes is told to the unit that an earlier one started', async () => {
  const proxy = service('proxy', [unitFile(), unit()])
  const site = service('site', [config('x')], { after: [proxy.name], triggers: [reload] })
  const { lines, told } = await planAndApply(desiredHost([proxy, site]))
  expect(lines.at(-1)).toBe('reload web.service')
  expect(told.slice(-2)).toEqual(['start web.service', 'reload web.service'])
})

test('a drop-in or a file that leaves is a change as well, also when its whole service leaves', async () => {
  const dropIn = file('/etc/systemd/system/web.service.d/x.conf', '[Service]')
  const own = [unitFile(), unit()]
  const proxy = service('proxy', [...own, dropIn], {
    triggers: [restart, on(dropIn.path, { kind: 'restart', unit: 'web.service' })],
  })
  const site = service('site', [config('x')], {
    triggers: [reload, on('/etc/web.conf', { kind: 'run', command: 'test -e /nowhere || true' })],
  })
  await applyIn(world, desiredHost([proxy, site]))
  const withoutDropIn = desiredHost([service('proxy', own, { triggers: [restart] }), site], '2')
  expect(await planAndApply(withoutDropIn)).toMatchObject({
    lines: [
      `remove ${dropIn.path}`,
      'remove /etc/systemd/system/web.service.d',
      'run systemctl daemon-reload',
      'restart web.service',
    ],
  })
  const withoutSite = desiredHost([service('proxy', own, { triggers: [restart] })], '3')
  expect(await planAndApply(withoutSite)).toMatchObject({
    lines: ['remove /etc/web.conf', 'reload web.service'],
    told: ['reload web.service'],
  })
})

test('a unit whose file systemd has not read yet is read first, and the plan says so', async () => {
  write('etc/systemd/system/web.service', '[Service]')
  systemd.units.set('web.service', { active: false, enabled: true, failed: false, stale: true })
  expect(await planAndApply(web([unit()]))).toMatchObject({
    lines: ['run systemctl daemon-reload', 'start web.service'],
    told: ['daemon-reload', 'reset-failed web.service', 'start web.service'],
  })
})

test('a unit that leaves and whose file systemd has not read yet is read first as well, and the plan says so', async () => {
  write('etc/systemd/system/web.service', '[Service]')
  await planAndApply(web([unit()]))
  systemd.units.set('web.service', { active: true, enabled: true, failed: false, stale: true })
  const { lines, told } = await planAndApply(web([], {}, '2'))
  expect(lines).toEqual(['disable and stop web.service', 'run systemctl daemon-reload'])
  expect(told).toContain('daemon-reload')
})

test('a service under another name: its unit stays as it is, and its files are not written', async () => {
  const resources = [unitFile(), config('x'), unit()]
  await planAndApply(desiredHost([service('web', resources, { triggers: [restart, reload] })]))
  const before = treeOf(world.root)
  const renamed = desiredHost([service('site', resources, { triggers: [restart, reload] })], '2')
  expect(await planAndApply(renamed)).toEqual({ lines: [], told: [], changes: [] })
  expect(treeOf(world.root)).toEqual(before)
  expect([...world.state.baselines.read().baselines.keys()]).toEqual(['site'])
  const gone = await planAndApply(desiredHost([], '3'))
  expect(gone.told.slice(0, 2)).toEqual(['stop web.service', 'disable web.service'])
})

test('a masked unit is stopped and masked; a mask typed by hand is drift, and one that leaves is taken away', async () => {
  write('etc/systemd/system/web.service', '[Service]')
  systemd.units.set('web.service', { active: true, enabled: true, failed: false })
  const masked = web([unit('web.service', { masked: true })])
  const { lines, told } = await planAndApply(masked)
  expect(lines).toEqual(['stop and mask web.service'])
  expect(told).toEqual(['stop web.service', 'mask web.service'])
  systemd.units.set('web.service', { active: false, enabled: true, failed: false })
  expect(linesOf(await planIn(world, masked, { repair: 'everything' }))).toEqual(['mask web.service'])
  await applyIn(world, masked, { repair: 'everything' })
  expect((await planAndApply(web([unit()], {}, '2'))).lines).toEqual(['unmask, enable and start web.service'])
  systemd.units.set('web.service', { active: true, enabled: true, failed: false, masked: true })
  expect(linesOf(await planIn(world, web([unit()], {}, '2'), { repair: 'everything' }))).toEqual([
    'unmask and enable web.service',
  ])
  await planAndApply(masked)
  expect((await planAndApply(desiredHost([], '3'))).lines).toEqual(['unmask web.service'])
})

test('a unit that was masked by an apply that fails afterwards is unmasked and runs again', async () => {
  write('etc/systemd/system/web.service', '[Service]')
  systemd.units.set('web.service', { active: true, enabled: true, failed: false })
  const checks = [{ kind: 'run', command: 'false' }] as const
  const result = await applyIn(world, web([unit('web.service', { masked: true })], { checks }))
  expect(outcome(result)).toMatchObject({ kind: 'failed' })
  expect(systemd.units.get('web.service')).toMatchObject({ active: true, enabled: true, masked: false })
})

test('a unit that was enabled and reloaded by an apply that fails afterwards is disabled again, and runs on', async () => {
  const resting = unit('web.service', { enabled: false, state: 'running' })
  await planAndApply(web([unitFile(), config('one'), resting], { triggers: [reload] }))
  const checks = [{ kind: 'run', command: 'false' }] as const
  await applyIn(world, web([unitFile(), config('two'), unit()], { triggers: [reload], checks }, '2'))
  expect(text('etc/web.conf')).toBe('one')
  expect(systemd.units.get('web.service')).toMatchObject({ active: true, enabled: false })
})

test.each([
  ['is new', undefined],
  ['runs and is enabled', { active: true, enabled: true, failed: false }],
  ['is enabled', { active: false, enabled: true, failed: false }],
  ['runs', { active: true, enabled: false, failed: false }],
])(
  'an empty unit file is a mask of systemd: no apply enables that, or leaves a mask behind, when the unit %s',
  async (_, before) => {
    if (before !== undefined) {
      write('etc/systemd/system/web.service', '[Service]')
      systemd.units.set('web.service', before)
    }
    const wanted = { ...unit(), file: idOf('file', '/etc/systemd/system/web.service') }
    const result = await applyIn(world, web([unitFile(''), wanted], { triggers: [restart] }))
    const failed = outcome(result)
    expect(failed).toMatchObject({ kind: 'failed' })
    const isRestartedAlone = before?.active === true && before.enabled
    expect(JSON.stringify(failed)).toContain(
      isRestartedAlone ? 'web.service not restarted' : 'the unit file of web.service is empty',
    )
    expect(systemd.log.filter((line) => line.startsWith('mask '))).toEqual([])
    expect(existsSync(at('etc/systemd/system/web.service'))).toBe(before !== undefined)
    expect(systemd.units.get('web.service')).toMatchObject(before ?? { active: false, enabled: false })
  },
)

test('a tree that its program refuses is put back before anything reads it', async () => {
  const validate = [`! grep -rq broken ${at('etc/web')} || { echo "unexpected broken in $PWD"; exit 1; }`]
  write('etc/systemd/system/web.service', '[Service]')
  const triggers = [on('/etc/web/site', { kind: 'reload', unit: 'web.service' })] as const
  const good = web([unitFile('[Service] # one'), unit(), file('/etc/web/site', 'one')], { validate, triggers })
  await planAndApply(good)
  const before = treeOf(world.root)
  systemd.log.length = 0
  const resources = [
    unitFile('[Service] # two'),
    unit(),
    file('/etc/web/site', 'two', { validate: 'true' }),
    symlink('/etc/web/link', 'x'),
    file('/etc/web/part', 'broken'),
  ]
  const result = await applyIn(world, web(resources, { validate, triggers }, '2'))
  expect(outcome(result)).toMatchObject({
    kind: 'failed',
    failure: {
      step: `validate with ${validate[0]}`,
      problem: {
        code: 'validation-failed',
        message: expect.stringContaining('unexpected broken'),
        remedy: expect.stringContaining('in place again'),
      },
    },
  })
  expect(treeOf(world.root)).toEqual(before)
  expect(systemd.log).toEqual([])
})

test('a tree is validated after its last file and before systemd reads it, and only when a file changes', async () => {
  const seen = at('seen')
  const validate = [`cat ${at('etc/web.conf')} >> ${seen}`, `echo ! >> ${seen}`]
  const { lines } = await planAndApply(web([unitFile(), config('one'), unit()], { validate }))
  expect(lines).toEqual([
    'write /etc/systemd/system/web.service (new)',
    'write /etc/web.conf (new)',
    `validate with ${validate[0]}`,
    `validate with ${validate[1]}`,
    'run systemctl daemon-reload',
    'enable and start web.service',
  ])
  expect(text('seen')).toBe('one!\n')
  const stopped = unit('web.service', { enabled: true, state: 'stopped' })
  await planAndApply(web([unitFile(), config('one'), stopped], { validate }, '2'))
  expect(text('seen')).toBe('one!\n')
  await planAndApply(web([unitFile(), stopped], { validate: [`echo gone >> ${seen}`] }, '3'))
  expect(text('seen')).toBe('one!\ngone\n')
  expect(existsSync(at('etc/web.conf'))).toBe(false)
})

test('an undone apply leaves no failed unit behind whose file it took away, and no other is forgotten', async () => {
  const failed = { active: false, enabled: false, failed: true }
  write('/etc/systemd/system/old.service', '[Service]')
  for (const name of ['job.service', 'old.service', 'foreign.service']) systemd.units.set(name, { ...failed })
  const generated = { 'behind.service': 'behind.container', 'named.service': 'other.kube', 'maker.service': 'v.volume' }
  for (const [name, quadlet] of Object.entries({ ...generated, 'foreign.service': 'foreign.container' }))
    systemd.units.set(name, { ...failed, source: `/etc/containers/systemd/${quadlet}` })
  const desired = web([
    unitFile('broken'),
    unitFile('[Service]', 'job.service'),
    file('/etc/containers/systemd/behind.container', '[Container]'),
    file('/etc/containers/systemd/other.kube.d/name.conf', '[Kube]\nServiceName=named'),
    file('/etc/containers/systemd/v.volume', '[Volume]\nServiceName=maker'),
    unit(),
  ])

  const result = await applyIn(world, desired)

  expect(outcome(result)).toMatchObject({ kind: 'failed', failure: { step: 'change units' } })
  expect(existsSync(at('/etc/systemd/system/web.service'))).toBe(false)
  const stillFailed = [...systemd.units].flatMap(([name, { failed: isFailed }]) => (isFailed ? [name] : []))
  expect(stillFailed).toEqual(['old.service', 'foreign.service'])
})

describe('conditions', () => {
  const conditions = [
    '[Unit]\nConditionPathExists=/etc/there',
    '[Service]\nExecCondition=/bin/test -e /etc/there',
  ] as const
  const conditional = (condition: string) => web([unitFile(condition), unit()], { triggers: [restart] }, '2')
  const driftText = async (desired: DesiredHost) =>
    (await compareIn(world, desired)).services
      .flatMap(drifted)
      .map(({ id, comparison }) => unitKind.describe(id, comparison.drift))
  const ended = 'web.service: not running, since a condition of it does not hold; should be running'

  test.each(conditions)('a unit that never ran may be skipped, and is said to be: %s', async (condition) => {
    const { changes } = await planAndApply(conditional(condition))
    const why = condition.startsWith('[Unit]') ? 'condition ConditionPathExists=/etc/there' : 'a condition of it'
    expect(changes.at(-1)).toBe(`enabled web.service; skipped: ${why} does not hold`)
    expect(isEmpty(await planIn(world, conditional(condition), { repair: 'everything' }))).toBe(true)
  })

  test.each(conditions)('a change that ends a unit that ran is undone: %s', async (condition) => {
    await planAndApply(web([unitFile(), unit()], { triggers: [restart] }))
    const result = await applyIn(world, conditional(condition))
    expect(outcome(result)).toMatchObject({ kind: 'failed', failure: { problem: { code: 'apply-failed' } } })
    expect(JSON.stringify(outcome(result))).toContain('web.service was not restarted, and ran before: skipped: ')
    expect(systemd.units.get('web.service')).toMatchObject({ active: true })
    expect(text('etc/systemd/system/web.service')).toBe('[Service]')
  })

  test.each(conditions)('a unit that ran and was started again in vain has drifted: %s', async (condition) => {
    write('etc/there', '')
    await planAndApply(conditional(condition))
    rmSync(at('etc/there'))
    await systemd.run({ args: ['systemctl', 'restart', 'web.service'] })
    expect(await driftText(conditional(condition))).toEqual([ended])
    const repair = await applyIn(world, conditional(condition), { repair: 'everything' })
    expect(outcome(repair)).toMatchObject({ kind: 'failed' })
    expect(await driftText(conditional(condition))).toEqual([ended])
    write('etc/there', '')
    await applyIn(world, conditional(condition), { repair: 'everything' })
    expect(await driftText(conditional(condition))).toEqual([])
  })

  test.each([
    ['a service that ran before the host was restarted', '', [ended]],
    ['a job, which often makes its own condition untrue', '[Service]\nType=oneshot', []],
  ])('%s', async (_, more, drift) => {
    write('etc/there', '')
    const desired = conditional(`${conditions[0]}\n${more}`)
    await planAndApply(desired)
    // Recorded when it is seen to run.
    await applyIn(world, desired)
    rmSync(at('etc/there'))
    systemd.units.set('web.service', { active: false, enabled: true, failed: false })
    await systemd.run({ args: ['systemctl', 'start', 'web.service'] })
    expect(await driftText(desired)).toEqual(drift)
  })
})

test('a restarted timer may start its job, and the plan says so', async () => {
  const startsJob = { unit: 'job.service', because: ['OnBootSec=5min'] }
  const timer = unit('job.timer', { enabled: true, state: 'running', startsJob })
  const changed = on('/etc/systemd/system/job.timer', { kind: 'restart', unit: 'job.timer' })
  const first = await planAndApply(web([unitFile('[Timer]', 'job.timer'), timer], { triggers: [changed] }))
  const said = 'which may start job.service at once or soon (OnBootSec=5min)'
  expect(first.lines.at(-1)).toBe(`enable and start job.timer, ${said}`)
  const next = await planAndApply(web([unitFile('[Timer] # two', 'job.timer'), timer], { triggers: [changed] }, '2'))
  expect(next.lines.at(-1)).toBe(`restart job.timer, ${said}`)
})
