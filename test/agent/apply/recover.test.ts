import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { recover } from '../../../agent/apply/recover.ts'
import { isInSync } from '../../../agent/plan/compare.ts'
import type { State } from '../../../agent/state/state.ts'
import { serviceNameSchema } from '../../../shared/names.ts'
import { Budget } from '../../support/budget.ts'
import { generation, servicesInGeneration } from './generation.ts'
import {
  applyIn,
  compareIn,
  desiredHost,
  directory,
  file,
  idOf,
  makeWorld,
  reportsIn,
  service,
  symlink,
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

const rounds = 20

test('killed at any moment, every service is as before or as after, and nothing is left behind', {
  timeout: 600_000,
}, async () => {
  await applyIn(world, generation(1))
  const ended = { killed: 0, applied: 0 }
  const budget = new Budget({ seconds: 40, least: 8 })
  for (; budget.done < rounds && !budget.isOver(); budget.done += 1) {
    const revision = budget.done + 2
    const child = spawn(process.execPath, argumentsFor(revision), { stdio: ['ignore', 'pipe', 'inherit'] })
    let told = ''
    child.stdout.on('data', (chunk: Buffer) => {
      told += chunk.toString()
    })
    const closed = new Promise((resolve) => child.once('close', resolve))
    await Promise.race([closed, new Promise((resolve) => child.stdout.once('data', resolve))])
    expect(told).toContain('applying')
    setTimeout(() => child.kill('SIGKILL'), 3 + ((budget.done * 37) % 80))
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
  console.log(budget.text(rounds, 'kills'))
  const last = generation(100)
  await applyIn(world.again(), last)
  expect(isInSync(await compareIn(world.again(), last))).toBe(true)
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
  expect(isInSync(await compareIn(again, next))).toBe(true)
})

test('a journal that nobody can read any more stops nothing', async () => {
  writeFileSync(join(world.directory, 'state/journal'), '{"kind":"of a later version"}\ngarbage\n{"kind":')
  const desired = desiredHost([service('web', [file('/f', 'x')])])
  await applyIn(world, desired)
  expect(isInSync(await compareIn(world, desired))).toBe(true)
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
        failure: { problem: { message: expect.stringContaining('Not everything could be rolled back: /etc/a') } },
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

/** `etc` cannot be put back: its apply fails, and is undone by a recovery. */
async function leftUndone(able: World) {
  await applyIn(able, desiredHost([service('web', [file('/etc/a', 'one')])]))
  // An undo that comes to its end runs the trigger again.
  const once = join(able.directory, 'once')
  const command = `test -e ${once} || chattr +i ${join(able.root, 'etc')}; touch ${once}; echo no such host; exit 1`
  const triggers = [{ on: [idOf('file', '/etc/a')], action: { kind: 'run', command } } as const]
  const [outcome] = (await applyIn(able, desiredHost([service('web', [file('/etc/a', 'two')], { triggers })], '2')))
    .services
  spawnSync('chattr', ['-i', join(able.root, 'etc')])
  expect(outcome?.kind).toBe('failed')
  expect(able.state.journal.isThere()).toBe(true)
}

const failureOf = (state: State) => state.failures.read().get(serviceNameSchema.parse('web'))

test.runIf(process.geteuid?.() === 0).each([
  ['the same process', (able: World) => able],
  ['another one', (able: World) => able.again()],
])('a failure keeps its cause and counts once when %s puts back what was left', async (_, by) => {
  const able = makeWorld({ capabilities: { commands: true } })
  try {
    await leftUndone(able)
    const recovering = by(able)
    expect((await recoverIn(recovering)).undone).toEqual(['web'])
    const failure = failureOf(recovering.state)
    expect(failure).toMatchObject({ attempts: 1, problem: { message: expect.stringContaining('no such host') } })
    expect(failure?.problem.message).not.toContain('interrupted')
    expect(readFileSync(join(able.root, 'etc/a'), 'utf8')).toBe('one')
  } finally {
    able.remove()
  }
})

test.runIf(process.geteuid?.() === 0).each([
  ['the same process claims no kill', (able: World) => able, 'did not come to its end'],
  ['another one takes the first for killed', (able: World) => able.again(), 'interrupted'],
])('where the cause is not known, %s', async (_, by, told) => {
  const able = makeWorld({ capabilities: { commands: true } })
  try {
    await leftUndone(able)
    able.state.failures.clear([serviceNameSchema.parse('web')])
    const recovering = by(able)
    await recoverIn(recovering)
    expect(failureOf(recovering.state)?.problem.message).toContain(told)
  } finally {
    able.remove()
  }
})

test.runIf(process.geteuid?.() === 0)(
  'an apply that the full disk failed is not told as a kill afterwards',
  async () => {
    const undone: string[] = []
    // A file system has room to the end of the journal's block: where the disk is full for it differs with what it holds.
    for (const padding of [1, 60, 120, 180, 240]) undone.push(...(await undoneOnFullDisk(padding)))
    expect(undone.length).toBeGreaterThan(0)
  },
)

async function undoneOnFullDisk(padding: number): Promise<readonly string[]> {
  const stateDirectory = join(world.directory, 'small-state')
  mkdirSync(stateDirectory, { recursive: true })
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', stateDirectory])
  const small = makeWorld({ stateDirectory, capabilities: { commands: true } })
  const filler = join(stateDirectory, 'filler')
  try {
    const action = { kind: 'run', command: `cat /dev/zero > ${filler}; true` } as const
    const filling = file(`/${'f'.repeat(padding)}`, 'x')
    const others = ['w0', 'w1', 'w2', 'w3', 'w4', 'w5'].map((name) =>
      service(name, [directory(`/${name}`), file(`/${name}/f`, 'x'), symlink(`/${name}/link`, 'f')]),
    )
    const first = service('full', [filling], { triggers: [{ on: [filling.id], action }] })
    const { services } = await applyIn(small, desiredHost([first, ...others]))
    expect(services.at(-1)).toMatchObject({ kind: 'failed', failure: { problem: { code: 'disk-full' } } })

    rmSync(filler)
    const recovery = await recoverIn(small)
    expect(recovery.problems).toEqual([])
    for (const name of recovery.undone)
      expect(small.state.failures.read().get(name)).toMatchObject({ attempts: 1, problem: { code: 'disk-full' } })
    expect(small.state.journal.isThere()).toBe(false)
    return recovery.undone
  } finally {
    execFileSync('umount', ['-l', stateDirectory])
    small.remove()
  }
}
