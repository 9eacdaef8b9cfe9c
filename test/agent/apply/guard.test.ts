// What answers is said by a function here; real routes, names and firewalls are cut in test/lab/connectivity.test.ts.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { applyPlan } from '../../../agent/apply/apply.ts'
import type { Guarding } from '../../../agent/apply/guard.ts'
import { recover } from '../../../agent/apply/recover.ts'
import { mayTry } from '../../../agent/state/failures.ts'
import type { DesiredHost } from '../../../shared/resource.ts'
import {
  applyIn,
  contents,
  desiredHost,
  file,
  idOf,
  makeWorld,
  outcome,
  planIn,
  service,
  treeOf,
  type World,
} from './world.ts'

let world: World

beforeEach(() => {
  world = makeWorld()
})
afterEach(() => world.remove())

const text = (path: string) => readFileSync(join(world.root, path), 'utf8')
const both = (route: string, motd: string, revision: string) =>
  desiredHost([service('network', [file('/etc/route', route)]), service('web', [file('/etc/motd', motd)])], revision)

/** The network as the file that was written says: `gone` cuts everything off. */
const byRoute: Guarding['answering'] = async () => (text('etc/route') === 'gone' ? [] : ['server', 'remote'])
const guarded = (answering: Guarding['answering'], withinSeconds = 0.1): Guarding => ({ answering, withinSeconds })

async function applyGuarded(desired: DesiredHost, guarding: Guarding) {
  const { state, host } = world
  const lock = await state.lock({ purpose: 'test', now: new Date() })
  try {
    const plan = await planIn(world, desired)
    return await applyPlan(plan, { host, state, lock, contents, guarding, now: () => new Date() })
  } finally {
    lock.release()
  }
}

async function recoverGuarded(answering: Guarding['answering']) {
  const { state, host } = world.again()
  const lock = await state.lock({ purpose: 'test', now: new Date() })
  try {
    return await recover(state, host, { lock, answering })
  } finally {
    lock.release()
  }
}

test('an apply that cuts the host off is undone as a whole, and waits for an hour', async () => {
  await applyIn(world, both('there', 'one', '1'))
  const before = treeOf(world.root)
  const result = await applyGuarded(both('gone', 'two', '2'), guarded(byRoute))
  expect(treeOf(world.root)).toEqual(before)
  for (const name of ['network', 'web'])
    expect(outcome(result, name)).toMatchObject({
      kind: 'failed',
      failure: { step: 'stay in contact', problem: { code: 'contact-lost', service: name } },
    })
  expect(world.state.journal.read()).toEqual([])
  const { failures, baselines } = world.state
  expect([...baselines.read().baselines.values()].map(({ revision }) => Number(revision))).toEqual([1, 1])
  const { revision } = both('', '', '2')
  const network = service('network', []).name
  expect(mayTry(failures.read().get(network), revision, new Date(Date.now() + 59 * 60_000))).toBe(false)
  expect(mayTry(failures.read().get(network), revision, new Date(Date.now() + 61 * 60_000))).toBe(true)
})

test('a revision that cuts the host off again and again waits longer each time', async () => {
  await applyIn(world, both('there', 'one', '1'))
  const attempts = async () => {
    await applyGuarded(both('gone', 'two', '2'), guarded(byRoute, 0.01))
    return world.state.failures.read().get(service('network', []).name)?.attempts
  }
  expect([await attempts(), await attempts(), await attempts()]).toEqual([1, 2, 3])
})

test('one of server and remote that answers is enough, and so is one that comes back in time', async () => {
  await applyIn(world, both('there', 'one', '1'))
  let asked = 0
  const slowly: Guarding['answering'] = async () => {
    asked += 1
    return asked === 1 ? ['server', 'remote'] : asked < 3 ? [] : ['remote']
  }
  const result = await applyGuarded(both('moved', 'two', '2'), guarded(slowly, 5))
  expect(result.services.map(({ kind }) => kind)).toEqual(['applied', 'applied'])
  expect(asked).toBe(3)
  expect(text('etc/route')).toBe('moved')
  expect(world.state.journal.read()).toEqual([])
})

test('what did not answer before is not waited for', async () => {
  await applyIn(world, both('there', 'one', '1'))
  let asked = 0
  const never: Guarding['answering'] = async () => {
    asked += 1
    return []
  }
  await applyGuarded(both('moved', 'two', '2'), guarded(never, 60))
  expect(asked).toBe(1)
  expect(text('etc/route')).toBe('moved')
})

test('a guard that is off, and an apply that changes nothing, ask nobody', async () => {
  await applyIn(world, both('there', 'one', '1'))
  const nobody: Guarding['answering'] = () => Promise.reject(new Error('nobody is to be asked'))
  await applyGuarded(both('there', 'one', '1'), guarded(nobody, 60))
  await applyGuarded(both('moved', 'two', '2'), guarded(nobody, 0))
  expect(text('etc/route')).toBe('moved')
})

test.each([
  ['contact is lost', 'gone', 'undone'],
  ['contact was kept', 'moved', 'finished'],
] as const)('the agent that dies while its guard waits and %s: the next one has it %s', async (_, route, ending) => {
  await applyIn(world, both('there', 'one', '1'))
  const before = treeOf(world.root)
  let asked = 0
  const dies: Guarding['answering'] = async () => {
    asked += 1
    if (asked > 1) throw new Error('the host is switched off')
    return ['server']
  }
  await expect(applyGuarded(both(route, 'two', '2'), guarded(dies))).rejects.toThrow('switched off')
  expect(text('etc/route')).toBe(route)
  const recovery = await recoverGuarded(byRoute)
  expect(recovery[ending]).toEqual(['web', 'network'])
  expect(recovery.problems).toEqual([])
  if (ending === 'undone') expect(treeOf(world.root)).toEqual(before)
  else expect(text('etc/motd')).toBe('two')
  expect(await recoverGuarded(byRoute)).toEqual({ undone: [], finished: [], problems: [] })
  expect(treeOf(world.root).join('\n')).not.toContain('.plumb-')
  const [network] = world.again().state.baselines.read().baselines.values()
  expect(Number(network?.revision)).toBe(ending === 'undone' ? 1 : 2)
})

test('an undo that has begun is carried through, although contact comes back halfway', async () => {
  await applyIn(world, both('there', 'one', '1'))
  const before = treeOf(world.root)
  const { state, host } = world
  let undone = 0
  const dying = { ...host, files: { ...host.files, putBack: host.files.rollBack } }
  const marked = host.files.marked
  dying.files.marked = (mark) => ({
    ...marked(mark),
    rollBack: async (saved) => {
      undone += 1
      if (undone > 1) throw new Error('the host is switched off')
      await host.files.marked(mark).rollBack(saved)
    },
  })
  const lock = await state.lock({ purpose: 'test', now: new Date() })
  const plan = await planIn(world, both('gone', 'two', '2'))
  const guarding = guarded(byRoute)
  await applyPlan(plan, { host: dying, state, lock, contents, guarding, now: () => new Date() })
  lock.release()
  expect(text('etc/motd')).toBe('one')
  expect((await recoverGuarded(async () => ['server'])).undone).toContain('network')
  expect(treeOf(world.root)).toEqual(before)
})

test('a service whose own steps fail is not what the guard waits for', async () => {
  world.remove()
  world = makeWorld({ capabilities: { commands: true } })
  const failing = [{ on: [idOf('file', '/etc/route')], action: { kind: 'run', command: 'false' } } as const]
  const desired = desiredHost([service('network', [file('/etc/route', 'gone')], { triggers: failing })])
  const result = await applyGuarded(
    desired,
    guarded(async () => ['server'], 60),
  )
  expect(outcome(result, 'network')).toMatchObject({ failure: { step: 'run false' } })
})
