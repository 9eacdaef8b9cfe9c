import { spawn, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { recover } from '../../../agent/apply/recover.ts'
import { isInPlumb } from '../../../agent/plan/compare.ts'
import type { State } from '../../../agent/state/state.ts'
import { generation, servicesInGeneration } from './generation.ts'
import {
  applyIn,
  compareIn,
  desiredHost,
  file,
  idOf,
  makeWorld,
  reportsIn,
  service,
  treeOf,
  type World,
} from './world.ts'

const script = join(import.meta.dirname, 'apply-and-die.ts')
let world: World

beforeEach(() => {
  world = makeWorld()
})
afterEach(() => world.remove())

const argumentsFor = (revision: number, killer = '') => [
  script,
  world.directory,
  world.root,
  join(world.directory, 'state'),
  String(revision),
  killer,
]

/** An undo runs triggers again, and then this one must let live. */
const killOnce = ({ directory }: World) =>
  `test -e ${directory}/killed || { touch ${directory}/killed; kill -9 $PPID; }`

async function recoverIn({ state, host }: World) {
  const lock = await state.lock({ purpose: 'test', now: new Date() })
  try {
    return await recover(state, host, { lock, answering: async () => [] })
  } finally {
    lock.release()
  }
}

/** The revision each service is at; a service in between has several. */
function revisionsOf(root: string): readonly (readonly string[])[] {
  return Array.from({ length: servicesInGeneration }, (_, index) => {
    const texts = Array.from({ length: 8 }, (__, number) =>
      readFileSync(join(root, `srv/s${index}/f${number}`), 'utf8'),
    )
    const revisions = texts.flatMap((text) =>
      [...text.matchAll(/^revision (\d+) of/gm)].map(([, revision = '']) => revision),
    )
    return [...new Set(revisions)]
  })
}

test('an apply that is killed with a service half done is undone at the next start', async () => {
  await applyIn(world, generation(1))
  const before = treeOf(join(world.root, 'srv/s2'))
  const killed = spawnSync(process.execPath, argumentsFor(2, killOnce(world)), { encoding: 'utf8' })
  expect(killed.signal).toBe('SIGKILL')
  const again = world.again()
  expect(treeOf(join(world.root, 'srv/s2'))).not.toEqual(before)
  expect(await recoverIn(again)).toEqual({ undone: ['s2'], finished: ['s1', 's0'], problems: [] })
  expect(treeOf(join(world.root, 'srv/s2'))).toEqual(before)
  expect(revisionsOf(world.root)).toEqual([['2'], ['2'], ['1'], ['1'], ['1']])
  expect(treeOf(world.root).join('\n')).not.toContain('.plumb-')
  const reports = await reportsIn(again, generation(2))
  expect(reports.map(({ findings }) => findings)).toEqual([[], [], [], [], []])
  expect(reports.map(({ applied }) => Number(applied))).toEqual([2, 2, 1, 1, 1])
  expect(reports[2]?.failure).toMatchObject({
    attempts: 1,
    problem: { message: expect.stringContaining('interrupted') },
  })
  expect(await recoverIn(again)).toEqual({ undone: [], finished: [], problems: [] })
})

test('a trigger that kills whoever runs it kills the recovery twice, not for ever', async () => {
  await applyIn(world, generation(1))
  const before = treeOf(join(world.root, 'srv/s2'))
  const recovering = () => spawnSync(process.execPath, argumentsFor(1, 'kill -9 $PPID'), { encoding: 'utf8' })
  spawnSync(process.execPath, argumentsFor(2, 'kill -9 $PPID'))
  expect(recovering().signal).toBe('SIGKILL')
  expect(recovering().signal).toBe('SIGKILL')
  expect((await recoverIn(world.again())).undone).toEqual([])
  expect(treeOf(join(world.root, 'srv/s2'))).toEqual(before)
})

test('killed at any moment, every service is as before or as after, and nothing is left behind', {
  timeout: 180_000,
}, async () => {
  await applyIn(world, generation(1))
  const ended = { killed: 0, applied: 0 }
  for (let round = 0; round < 20; round += 1) {
    const revision = round + 2
    const child = spawn(process.execPath, argumentsFor(revision), { stdio: ['ignore', 'pipe', 'inherit'] })
    let told = ''
    child.stdout.on('data', (chunk: Buffer) => {
      told += chunk.toString()
    })
    const closed = new Promise((resolve) => child.once('close', resolve))
    await Promise.race([closed, new Promise((resolve) => child.stdout.once('data', resolve))])
    expect(told).toContain('applying')
    setTimeout(() => child.kill('SIGKILL'), 3 + round * 4)
    await closed
    ended[told.includes('applied') ? 'applied' : 'killed'] += 1
    const again = world.again()
    const { problems } = await recoverIn(again)
    expect(problems).toEqual([])
    for (const revisions of revisionsOf(world.root)) expect(revisions).toHaveLength(1)
    expect(treeOf(world.root).filter((line) => line.includes('.plumb-'))).toEqual([])
    const drifted = (await reportsIn(again, generation(revision))).filter(({ findings }) => findings.length > 0)
    expect(drifted).toEqual([])
  }
  const last = generation(100)
  await applyIn(world.again(), last)
  expect(isInPlumb(await compareIn(world.again(), last))).toBe(true)
  expect(ended.killed).toBeGreaterThan(3)
})

test('what was committed when the record could not be written is finished later', async () => {
  const first = desiredHost([service('web', [file('/f', 'one')])])
  await applyIn(world, first)
  const next = desiredHost([service('web', [file('/f', 'two')]), service('db', [file('/g', 'x')])], '2')
  const { state } = world
  const failing: State = {
    ...state,
    baselines: { ...state.baselines, write: () => Promise.reject(new Error('the disk is gone')) },
  }
  const result = await applyIn({ ...world, state: failing }, next)
  expect(result.problems).toMatchObject([{ message: 'the disk is gone' }])
  expect([...state.baselines.read().baselines.values()].map(({ revision }) => Number(revision))).toEqual([1])
  const again = world.again()
  expect((await recoverIn(again)).finished).toEqual(['db', 'web'])
  expect([...state.baselines.read().baselines.values()].map(({ revision }) => Number(revision))).toEqual([2, 2])
  expect(isInPlumb(await compareIn(again, next))).toBe(true)
})

test('a journal that nobody can read any more stops nothing', async () => {
  writeFileSync(join(world.directory, 'state/journal'), '{"kind":"of a later version"}\ngarbage\n{"kind":')
  const desired = desiredHost([service('web', [file('/f', 'x')])])
  await applyIn(world, desired)
  expect(isInPlumb(await compareIn(world, desired))).toBe(true)
})

test.runIf(process.geteuid?.() === 0)(
  'what could not be put back at once is put back by the next recovery',
  async () => {
    const first = desiredHost([service('web', [file('/etc/a', 'one'), file('/small/f', 'one')])])
    await applyIn(world, first)
    const before = treeOf(world.root)
    // The trigger makes /etc immutable, so that neither it nor the undo can be carried through.
    const etc = join(world.root, 'etc')
    const triggers = [
      { on: [idOf('file', '/etc/a')], action: { kind: 'run', command: `chattr +i ${etc}; exit 1` } },
    ] as const
    const next = desiredHost([service('web', [file('/etc/a', 'two'), file('/small/f', 'two')], { triggers })], '2')
    const able = makeWorld({
      root: world.root,
      stateDirectory: join(world.directory, 'state'),
      capabilities: { commands: true },
    })
    try {
      const [outcome] = (await applyIn(able, next)).services
      expect(outcome).toMatchObject({
        failure: { problem: { message: expect.stringContaining('Not everything could be put back: /etc/a') } },
      })
      expect(readFileSync(join(world.root, 'small/f'), 'utf8')).toBe('one')
      spawnSync('chattr', ['-i', etc])
      expect(await recoverIn(world.again())).toEqual({ undone: ['web'], finished: [], problems: [] })
      expect(treeOf(world.root)).toEqual(before)
    } finally {
      spawnSync('chattr', ['-i', etc])
      able.remove()
    }
  },
)
