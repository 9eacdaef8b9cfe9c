// An ordinary user exchanges a directory for a link while root works in it: not one byte outside is written, or read.
// PLUMB_FAULTS_LONG=1: 100,000 exchanges; else 5,000, or as many as fit into a minute.
import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { bringBack } from '../../agent/commands/restore-version.ts'
import type { DesiredHost, Resource } from '../../shared/resource.ts'
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
import { Budget, isLong, noLimit } from '../support/budget.ts'

const wanted = isLong ? { swaps: 100_000, rounds: 300 } : { swaps: 5000, rounds: 25 }
const nobody = 65534

const mine = (number: number): readonly Resource[] => [
  file('/home/app/f', `revision ${number}`, { mode: number % 2 === 0 ? 0o644 : 0o600 }),
  file('/home/app/deep/g', `revision ${number}`),
  symlink('/home/app/l', `target ${number}`),
  directory('/home/app/d', { purge: true, mode: number % 2 === 0 ? 0o755 : 0o700 }),
]

function fleet(number: number, more: readonly Resource[] = []): DesiredHost {
  return desiredHost([service('web', [...mine(number), ...more], { onRemove: 'restore' })], String(number))
}

/** A link where a full directory stands: fails when all files are in place, and everything is undone. */
const inTheWay = symlink('/etc/full', 'x')

async function restoreSome({ state, host }: World): Promise<void> {
  const lock = await state.lock({ purpose: 'test', now: new Date(), waitSeconds: 5 })
  try {
    const version = state.archive.list().findLast(({ path, was }) => path === '/home/app/f' && was.type !== 'not-kept')
    if (version !== undefined)
      await bringBack(version, { host, state, target: file('/home/app/f', '').path, now: new Date() })
  } finally {
    lock.release()
  }
}

/** Everything an agent does in such a directory, each time; what is refused is as good as what is done. */
async function round(
  world: World,
  number: number,
  told: string[],
): Promise<Readonly<Record<'done' | 'refused', number>>> {
  const results = { done: 0, refused: 0 }
  const attempt = async (work: () => Promise<boolean>) => {
    try {
      results[(await work()) ? 'done' : 'refused'] += 1
    } catch {
      results.refused += 1
    }
  }
  const applied = async (desired: DesiredHost) =>
    outcome(await applyIn(world, desired, { repair: 'everything' }))?.kind === 'applied'
  await attempt(() => applied(fleet(number)))
  await attempt(async () => (await compareIn(world, fleet(number), true)).services.length > 0)
  await attempt(async () => told.push(JSON.stringify(await reportsIn(world, fleet(number)))) > 0)
  await attempt(() => applied(fleet(number + 1, [inTheWay])))
  await attempt(async () => restoreSome(world).then(() => true))
  await attempt(() => applied(desiredHost([], String(number + 2))))
  return results
}

/** Outside of what the user may write, but below the same root, so that the links lead there for whoever follows them. */
function makeOutside(world: World): string {
  const outside = join(world.root, 'outside')
  for (const path of ['', 'deep', 'd', 'd/sub']) mkdirSync(join(outside, path), { mode: 0o700 })
  for (const path of ['f', 'deep/g', 'd/x', 'd/sub/y']) writeFileSync(join(outside, path), 'precious', { mode: 0o600 })
  symlinkSync('precious', join(outside, 'l'))
  return outside
}

function makeHome(world: World): string {
  const home = join(world.root, 'home')
  mkdirSync(join(home, 'app/d'), { recursive: true })
  mkdirSync(join(world.root, 'etc/full/inside'), { recursive: true })
  writeFileSync(join(home, 'app/f'), 'of the user')
  for (const path of [world.directory, world.root]) chmodSync(path, 0o755)
  for (const path of ['', 'app', 'app/d', 'app/f']) chownSync(join(home, path), nobody, nobody)
  return home
}

/** How often it has exchanged the directory so far. */
async function startSwapper(home: string): Promise<{ child: ChildProcess; swaps: () => number }> {
  const script = join(import.meta.dirname, 'swapper.ts')
  const child = spawn(process.execPath, [script, home], {
    uid: nobody,
    gid: nobody,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let last = '0'
  await new Promise((resolve) => {
    child.stdout.on('data', (chunk: Buffer) => {
      last = chunk.toString().trim().split('\n').at(-1) ?? last
      resolve(undefined)
    })
  })
  return { child, swaps: () => Number(last) }
}

test.runIf(process.geteuid?.() === 0)(
  'a directory exchanged for a link while root applies, looks, undoes, restores and removes in it leads nowhere',
  { timeout: noLimit },
  async () => {
    const world = makeWorld()
    const outside = makeOutside(world)
    const home = makeHome(world)
    const before = treeOf(outside)
    const { child, swaps } = await startSwapper(home)
    const told: string[] = []
    const results = { done: 0, refused: 0 }
    const budget = new Budget({ seconds: 30, least: 3 })
    const isAll = () => budget.done >= wanted.rounds && swaps() >= wanted.swaps
    const isBoth = () => results.done > 0 && results.refused > 0
    try {
      while (!isAll() && !(budget.isOver() && isBoth())) {
        const { done, refused } = await round(world, budget.done * 3 + 1, told)
        budget.done += 1
        results.done += done
        results.refused += refused
        expect(treeOf(outside)).toEqual(before)
      }
    } finally {
      child.kill('SIGKILL')
    }
    const exchanges = `${swaps()} of ${wanted.swaps} exchanges`
    console.log(
      `${budget.text(wanted.rounds, 'rounds')}, ${exchanges}: ${results.done} done, ${results.refused} refused`,
    )
    const objects = join(world.state.directory, 'objects')
    const read = readdirSync(objects).filter((name) => readFileSync(join(objects, name)).includes('precious'))
    expect(read).toEqual([])
    expect(told.filter((text) => text.includes('precious'))).toEqual([])
    world.remove()
  },
)
