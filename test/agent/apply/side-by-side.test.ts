// Services that wait for health, stability and checks side by side, within the order of `after`. Containers are a fake's; health is this
// test's to say.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { applyPlan } from '../../../agent/apply/apply.ts'
import { Baton } from '../../../agent/apply/baton.ts'
import { overlaps } from '../../../agent/apply/shared-changes.ts'
import { isInSync } from '../../../agent/plan/compare.ts'
import type { ServicePlan } from '../../../agent/plan/plan.ts'
import type { Run } from '../../../shared/command.ts'
import { createRun } from '../../../shared/platform/run.ts'
import type { DesiredHost, DesiredService } from '../../../shared/resource.ts'
import { type FakeHost, fakeHost, runOn } from '../../faults/fakes/fake-host.ts'
import { project } from '../../faults/fleet.ts'
import {
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

describe('on a host with containers', () => {
  let world: World
  let host: FakeHost
  /** Of a project, as docker tells it; none: it has no health check. */
  let health: (project: string) => 'starting' | 'healthy' | 'unhealthy' | 'none'

  beforeEach(() => {
    const empty = makeWorld()
    host = fakeHost(empty.root)
    health = () => 'none'
    const run = withHealth(runOn(host, createRun({ graceSeconds: 0.3 })), (name) => health(name))
    const capabilities = { containers: true, commands: true }
    world = { ...empty, host: makeWorld({ root: empty.root, run, capabilities }).host, run }
  })
  afterEach(() => world.remove())

  const stack = (name: string, version = '1', more: Partial<DesiredService> = {}) =>
    service(name, project(name, { web: `web:${version}` }, {}), more)
  const following = (...names: readonly string[]) => ({ after: names.map((name) => service(name, []).name) })
  const projects = () => new Set([...host.containers.values()].map((container) => container.project))

  test('projects become healthy side by side: each only when all are up', async () => {
    const names = ['a', 'b', 'c', 'd']
    health = () => (projects().size === names.length ? 'healthy' : 'starting')

    const result = await apply(desiredHost(names.map((name) => stack(name))))

    expect(result.services.map(({ service: name, kind }) => `${name}: ${kind}`)).toEqual(
      names.map((name) => `${name}: applied`),
    )
  })

  test('a service after one begins when that one is healthy; those beside it do not wait for it', async () => {
    const seen: string[] = []
    health = (name) => {
      seen.push([...projects()].toSorted().join())
      return name === 'a' && !projects().has('c') ? 'starting' : 'healthy'
    }

    const result = await apply(desiredHost([stack('a'), stack('b', '1', following('a')), stack('c')]))

    expect(result.services.map(({ kind }) => kind)).toEqual(['applied', 'applied', 'applied'])
    expect(seen).toContain('a,c')
    expect(seen).not.toContain('a,b')
  })

  test('one that does not become healthy is put back, those beside it are applied, and those after it are not', async () => {
    const fleet = (version: string) => [
      stack('a', version),
      stack('b', version, following('a')),
      stack('c', version),
      stack('d', version),
    ]
    await apply(desiredHost(fleet('1')))
    const isNew = () => [...host.containers.values()].some(({ image }) => image === 'web:2')
    health = (name) => (name === 'a' && isNew() ? 'unhealthy' : 'healthy')

    const result = await apply(desiredHost(fleet('2'), '2'))

    expect(result.services.map(({ service: name, kind }) => `${name}: ${kind}`)).toEqual([
      'a: failed',
      'b: skipped',
      'c: applied',
      'd: applied',
    ])
    const images = [...host.containers.values()].map(({ project: name, image }) => `${name} ${image}`)
    expect(images.toSorted()).toEqual(['a web:1', 'b web:1', 'c web:2', 'd web:2'])
    expect(world.state.journal.read()).toEqual([])
    health = () => 'healthy'
    const mixed = [stack('a'), stack('b'), stack('c', '2'), stack('d', '2')]
    expect(isInSync(await compareIn(world, desiredHost(mixed, '2')))).toBe(true)
  })

  test('checks of one service are waited for while another one is applied', async () => {
    const marker = join(world.root, 'srv/second')
    const checks = [{ kind: 'run', command: `test -e ${marker}` }] as const
    const services = [
      service('first', [file('/srv/first', '1')], { checks }),
      service('second', [file('/srv/second', '2')]),
    ]

    const result = await apply(desiredHost(services))

    expect(result.services.map(({ kind }) => kind)).toEqual(['applied', 'applied'])
  })

  test('a check that does not hold takes its service back, also when a later one was applied meanwhile', async () => {
    const checks = [{ kind: 'run', command: `test -e ${join(world.root, 'srv/second')} && exit 1` }] as const
    const services = [
      service('first', [file('/srv/first', '1')], { checks }),
      service('second', [file('/srv/second', '2')]),
    ]

    const result = await apply(desiredHost(services), 1)

    expect(outcome(result, 'first')).toMatchObject({ kind: 'failed', failure: { problem: { code: 'check-failed' } } })
    expect(existsSync(join(world.root, 'srv/first'))).toBe(false)
    expect(readFileSync(join(world.root, 'srv/second'), 'utf8')).toBe('2')
  })

  const apply = (desired: DesiredHost, withinSeconds = 20) => applyAll(world, desired, withinSeconds)
})

describe('what services of one apply share', () => {
  let world: World
  beforeEach(() => {
    const empty = makeWorld()
    const run = createRun({ graceSeconds: 0.3 })
    world = { ...empty, host: makeWorld({ root: empty.root, run, capabilities: { commands: true } }).host, run }
  })
  afterEach(() => world.remove())

  const failing = { checks: [{ kind: 'run', command: 'false' }] } as const
  const fails = (...services: readonly DesiredService[]) => applyAll(world, desiredHost(services), 0.3)

  test.each([
    ['files in it', [file('/new/one', '1')], [file('/new/two', '2')]],
    ['files below it', [file('/new/deep/one', '1')], [file('/new/deep/er/two', '2')]],
    ['links in it', [symlink('/new/one', 'x')], [symlink('/new/two', 'y')]],
    ['the directory itself and a file', [directory('/new')], [file('/new/two', '2')]],
    ['a file and the directory itself', [file('/new/one', '1')], [directory('/new')]],
  ])('a directory that both make goes when both fail: %s', async (_, one, other) => {
    const before = treeOf(world.root)
    const result = await fails(service('first', one, failing), service('second', other, failing))
    expect(result.services.map(({ kind }) => kind)).toEqual(['failed', 'failed'])
    expect(treeOf(world.root)).toEqual(before)
    expect(world.state.journal.read()).toEqual([])
  })

  test.each([
    ['the first', 'second', [failing, {}]],
    ['the second', 'first', [{}, failing]],
  ] as const)('a directory that both make stays for the other when %s fails', async (_, staying, [one, other]) => {
    const fleet = desiredHost([
      service('first', [file('/new/first', '1')], one),
      service('second', [file('/new/second', '2'), directory('/new/own')], other),
    ])
    const result = await applyAll(world, fleet, 0.3)
    expect(outcome(result, staying)).toMatchObject({ kind: 'applied' })
    expect(existsSync(join(world.root, 'new', staying))).toBe(true)
    expect(existsSync(join(world.root, 'new/own'))).toBe(staying === 'second')
    expect(existsSync(join(world.root, 'new', staying === 'first' ? 'second' : 'first'))).toBe(false)
  })

  test.each([
    ['the same unit', restarting('a.service'), restarting('a.service'), true],
    ['a unit that the other one has', [change('unit', 'a.service')], restarting('a.service'), true],
    ['a path and one below it', [change('directory', '/a')], [change('file', '/a/b/c')], true],
    ['a link and what is below it', [change('symlink', '/a/b')], [change('file', '/a/b/c')], true],
    ['names that begin alike', [change('file', '/a/b')], [change('file', '/a/bc')], false],
    ['a parent that neither changes', [change('file', '/a/b')], [change('file', '/a/c')], false],
    ['different units', restarting('a.service'), restarting('b.service'), false],
  ] as const)('the later service waits for the earlier one over %s', (_, one, other, waits) => {
    for (const [first, second] of [
      [one, other],
      [other, one],
    ] as const) {
      const found = overlaps([planWith('first', first), planWith('second', second)])
      expect([...found].map(([later, earlier]) => [later, [...earlier]])).toEqual(waits ? [['second', ['first']]] : [])
    }
  })
})

describe('the baton', () => {
  test('is held by one at a time, in the order of the plan, whoever asks first', async () => {
    const log: string[] = []
    const baton = new Baton(() => undefined)
    const act = (order: number) =>
      baton.act(order, async () => {
        log.push(`${order} begins`)
        await new Promise((resolve) => setTimeout(resolve, 5))
        log.push(`${order} ends`)
      })

    await Promise.all([act(2), act(0), act(1)])

    expect(log).toEqual([0, 1, 2].flatMap((order) => [`${order} begins`, `${order} ends`]))
  })

  test('goes to who comes back from a wait before those that have not begun', async () => {
    const log: string[] = []
    const baton = new Baton(() => undefined)
    const released = Promise.withResolvers<void>()
    const first = baton.act(0, async (waiting) => {
      await waiting(() => released.promise)
      log.push('0 is back')
    })
    const others = [1, 2].map((order) =>
      baton.act(order, async () => {
        log.push(`${order}`)
        released.resolve()
        await new Promise((resolve) => setTimeout(resolve, 5))
      }),
    )

    await Promise.all([first, ...others])

    expect(log).toEqual(['1', '0 is back', '2'])
  })

  test('is passed on when work or a wait throws', async () => {
    const baton = new Baton(() => undefined)
    const fails = baton.act(0, async (waiting) => {
      await waiting(() => Promise.reject(new Error('no health')))
    })
    const throws = baton.act(1, () => Promise.reject(new Error('no room')))
    const fine = baton.act(2, async () => 'done')

    await expect(fails).rejects.toThrow('no health')
    await expect(throws).rejects.toThrow('no room')
    await expect(fine).resolves.toBe('done')
  })

  test('lets so many start at a time that they do not choke each other; what only settles does not count', async () => {
    let starting = 0
    let most = 0
    let settling = 0
    const released = Promise.withResolvers<void>()
    const full = Promise.withResolvers<void>()
    // Idle: nobody more is let in.
    const baton = new Baton(() => {
      if (starting > 0) full.resolve()
      if (settling === 30) released.resolve()
    })
    const acts = Array.from({ length: 50 }, (_, order) =>
      baton.act(order, async (waiting) => {
        if (order < 30) {
          settling += 1
          return await waiting(() => released.promise, { isStarting: false })
        }
        await waiting(async () => {
          starting += 1
          most = Math.max(most, starting)
          await full.promise
          starting -= 1
        })
      }),
    )

    await Promise.all(acts)

    expect(settling).toBe(30)
    expect(most).toBe(16)
  })

  test('says when all only wait', async () => {
    const released = Promise.withResolvers<void>()
    let idle = 0
    const baton = new Baton(() => {
      idle += 1
      released.resolve()
    })

    await Promise.all([0, 1].map((order) => baton.act(order, (waiting) => waiting(() => released.promise))))

    expect(idle).toBeGreaterThan(0)
  })
})

/** `docker ps` says of containers that run how their health is. */
function withHealth(run: Run, health: (project: string) => string): Run {
  return async (command) => {
    const result = await run(command)
    if (command.args[0] !== 'docker' || command.args[1] !== 'ps') return result
    const rows = result.stdout.split('\n').map((row) => {
      const fields = row.split('\t')
      const [state, project] = [fields[2], fields[5] ?? '']
      const now = state === 'running' ? health(project) : 'none'
      const shown = now === 'starting' ? 'health: starting' : now
      return now === 'none'
        ? row
        : fields.map((field, index) => (index === 3 ? `Up 5 minutes (${shown})` : field)).join('\t')
    })
    return { ...result, stdout: rows.join('\n') }
  }
}

async function applyAll({ host, state, ...more }: World, desired: DesiredHost, withinSeconds: number) {
  const lock = await state.lock({ purpose: 'test', now: new Date() })
  try {
    const plan = await planIn({ host, state, ...more }, desired)
    return await applyPlan(plan, { host, state, lock, contents, checks: { withinSeconds }, now: () => new Date() })
  } finally {
    lock.release()
  }
}

function planWith(name: string, steps: ServicePlan['steps']): ServicePlan {
  return { service: service(name, []).name, steps } as ServicePlan
}

const nothing = { desired: undefined, baseline: undefined, live: { attributes: {} }, differences: [] }

function change(kind: 'file' | 'directory' | 'symlink' | 'unit', name: string): ServicePlan['steps'][number] {
  return { kind: 'change', resource: kind, changes: [{ ...nothing, id: idOf(kind, name) }] }
}

function restarting(unit: string): ServicePlan['steps'] {
  return [{ kind: 'trigger', action: { kind: 'restart', unit }, foreseen: 'yes' }]
}
