// A compose project that takes the place of another one, or goes to another service: judged as a whole before anything is removed. Containers
// are a fake's.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { applyPlan } from '../../../agent/apply/apply.ts'
import { type HostComparison, isInSync } from '../../../agent/plan/compare.ts'
import { planFor } from '../../../agent/plan/plan.ts'
import { withRefusedSuccessors } from '../../../agent/successors.ts'
import { absolutePathSchema, resourceId } from '../../../shared/names.ts'
import { createRun } from '../../../shared/platform/run.ts'
import type { ComposeResource, DesiredHost, DesiredService } from '../../../shared/resource.ts'
import { type FakeHost, fakeHost, runOn } from '../../faults/fakes/fake-host.ts'
import {
  applyIn,
  compareIn,
  contents,
  desiredHost,
  file,
  makeWorld,
  outcome,
  service,
  sha,
  type World,
} from './world.ts'

let world: World
let host: FakeHost

beforeEach(() => {
  const empty = makeWorld()
  host = fakeHost(empty.root)
  const run = runOn(host, createRun({ graceSeconds: 0.3 }))
  const capabilities = { containers: true, commands: true }
  world = { ...empty, host: makeWorld({ root: empty.root, run, capabilities }).host, run }
})
afterEach(() => world.remove())

const keep = service('keep', [file('/etc/keep', '1')])
const data = (name: string) => ({ type: 'bind', source: `/srv/compose/${name}/data`, target: '/data' })

test.each<[string, DesiredService, DesiredService, readonly string[]]>([
  [
    'another project that does the same with a directory of its own',
    stack('app', { db: { image: 'db:1', volumes: [data('app')] } }),
    stack('shop', { db: { image: 'db:1', volumes: [data('shop')] } }),
    ['app', 'shop'],
  ],
  [
    'the same project of another service',
    stack('app', { db: { image: 'db:1', volumes: [data('app')] } }, { project: 'fixed' }),
    stack('shop', { db: { image: 'db:1', volumes: [data('shop')] } }, { project: 'fixed' }),
    ['app', 'shop'],
  ],
  [
    'the same project of another service, refused for something else',
    stack('app', { db: { image: 'db:1' } }, { project: 'fixed' }),
    stack('shop', { db: { image: 'db:1', privileged: true } }, { project: 'fixed' }),
    ['app', 'shop'],
  ],
  [
    'the same project of another service, refused for a file that it reads',
    stack('app', { db: { image: 'db:1' } }, { project: 'fixed' }),
    stack('shop', { db: { image: 'db:1', env_file: ['/etc/plumb/secrets/tok'] } }, { project: 'fixed' }),
    ['app', 'shop'],
  ],
])('refused, nothing of both is touched: %s', async (_, before, after, blocked) => {
  await applyIn(world, desiredHost([keep, before]))
  const containers = [...host.containers.keys()]

  const comparison = await judged(desiredHost([keep, after], '2'))
  const result = await apply(comparison)

  for (const name of blocked) {
    expect(outcome(result, name)).toMatchObject({ kind: 'skipped' })
    expect(comparison.services.find((one) => one.service === name)?.problems).toMatchObject([
      { code: 'unsafe-path', service: name, remedy: expect.stringContaining('compose: {') },
    ])
  }
  expect(outcome(result, 'keep')).toMatchObject({ kind: 'unchanged' })
  expect([...host.containers.keys()]).toEqual(containers)
  expect(existsSync(join(world.root, 'srv/compose/app/compose.yaml'))).toBe(true)
  expect(existsSync(join(world.root, 'srv/compose/shop'))).toBe(false)
})

test.each<[string, DesiredService, DesiredService]>([
  ['a project without data', stack('app', { web: { image: 'web:1' } }), stack('shop', { web: { image: 'web:1' } })],
  [
    'another project with data of its own',
    stack('app', { db: { image: 'db:1', volumes: [data('app')] } }),
    stack('shop', { cache: { image: 'cache:1', volumes: [data('shop')] } }),
  ],
  [
    'a project whose data is not needed',
    stack('app', { db: { image: 'db:1', volumes: [data('app')] } }),
    stack('shop', { db: { image: 'db:1', volumes: [data('shop')] } }, { replaceProject: 'app' }),
  ],
])('the old one goes, the new one comes: %s', async (_, before, after) => {
  await applyIn(world, desiredHost([keep, before]))

  const result = await apply(await judged(desiredHost([keep, after], '2')))

  expect(result.services.map(({ kind }) => kind)).not.toContain('skipped')
  expect([...host.containers.values()].map((container) => container.file)).toEqual(['/srv/compose/shop/compose.yaml'])
})

test('the same project of another service keeps its containers where their data is where it was', async () => {
  const database = { db: { image: 'db:1', volumes: [data('app')] } }
  await applyIn(world, desiredHost([keep, stack('app', database, { project: 'fixed' })]))
  const containers = [...host.containers.keys()]

  const result = await apply(await judged(desiredHost([keep, stack('shop', database, { project: 'fixed' })], '2')))

  expect(result.services.map(({ kind }) => kind)).not.toContain('skipped')
  expect([...host.containers.keys()]).toEqual(containers)

  // Their label still names the file that is gone by now; a failure after that brings them back all the same.
  const failing = stack('shop', { db: { image: 'db:2', volumes: [data('app')] } }, { project: 'fixed' })
  const failed = await applyIn(
    world,
    desiredHost([keep, { ...failing, checks: [{ kind: 'run', command: 'false' }] }], '3'),
  )
  expect(outcome(failed, 'shop')).toMatchObject({ kind: 'failed' })
  expect(JSON.stringify(outcome(failed, 'shop'))).not.toContain('Not everything could be rolled back')
  expect([...host.containers.values()].map(({ image }) => image)).toEqual(['db:1'])
})

test('an undo needs no compose file for containers that nothing happened to', async () => {
  const old = stack('app', { db: { image: 'db:1', volumes: [data('app')] } }, { project: 'fixed' })
  const moved = stack('shop', { db: { image: 'db:1', volumes: [data('shop')] } }, { project: 'fixed' })
  await applyIn(world, desiredHost([keep, old]))

  // As if nothing had been judged before: app is committed without its compose file, then shop is refused.
  const result = await applyIn(world, desiredHost([keep, moved], '2'))

  expect(outcome(result, 'shop')).toMatchObject({ kind: 'failed' })
  expect(JSON.stringify(outcome(result, 'shop'))).not.toContain('Not everything could be rolled back')
  expect(world.state.journal.read()).toEqual([])
  expect([...host.containers.values()].map(({ state }) => state)).toEqual(['running'])
})

test.each([
  ['beside others', { web: { image: 'web:1' } }],
  ['the last one', {}],
])('containers of a profile that is switched off are removed: %s', async (_, others) => {
  const debug = { image: 'debug:1' }
  await applyIn(world, desiredHost([stack('app', { ...others, debug })]))
  const off = desiredHost([stack('app', { ...others, debug: { ...debug, profiles: ['debug'] } })], '2')

  const result = await applyIn(world, off)

  expect(outcome(result, 'app')).toMatchObject({
    kind: 'applied',
    changes: expect.arrayContaining([expect.objectContaining({ summary: 'brought up app: removed debug' })]),
  })
  expect([...host.containers.values()].map(({ service: name }) => name)).toEqual(Object.keys(others))
  expect(isInSync(await compareIn(world, off))).toBe(true)
})

async function judged(desired: DesiredHost): Promise<HostComparison> {
  const staging = { desired, contents, stateDirectory: world.state.directory }
  return withRefusedSuccessors(await compareIn(world, desired), staging, world.run)
}

async function apply(comparison: HostComparison) {
  const { state } = world
  const lock = await state.lock({ purpose: 'test', now: new Date() })
  try {
    const plan = planFor(comparison, { repair: 'everything' })
    return await applyPlan(plan, { host: world.host, state, lock, contents, now: () => new Date() })
  } finally {
    lock.release()
  }
}

/** A service with a compose file of JSON, which the fake docker reads. */
function stack(
  name: string,
  services: Readonly<Record<string, unknown>>,
  { project = name, ...more }: Partial<ComposeResource> = {},
): DesiredService {
  const home = `/srv/compose/${name}`
  const declared = file(`${home}/compose.yaml`, `${JSON.stringify({ services })}\n`)
  const compose: ComposeResource = {
    kind: 'compose',
    id: resourceId('compose', project),
    project,
    directory: absolutePathSchema.parse(home),
    file: declared.path,
    sha256: sha(`${home} ${declared.sha256}`),
    files: [{ path: declared.path, sha256: declared.sha256 }],
    registries: [],
    allowMounts: [],
    allow: [],
    moveMounts: [],
    state: 'running',
    ...more,
  }
  return service(name, [declared, compose])
}
