// A power cut: what the disk held at a random moment of an apply is copied while the agent stands still, and that copy is booted.
// The disk is a loop device with ext4, so what was written and not synced yet is missing in the copy, as it is after a power cut.
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { recover } from '../../agent/apply/recover.ts'
import { isInSync } from '../../agent/plan/compare.ts'
import { generation, servicesInGeneration } from '../agent/apply/generation.ts'
import { applyIn, compareIn, makeWorld, reportsIn, treeOf, type World } from '../agent/apply/world.ts'
import { Budget, isLong, noLimit } from '../support/budget.ts'

const script = join(import.meta.dirname, '../agent/apply/apply-and-die.ts')
const cuts = isLong ? 400 : 25
const asRoot = process.geteuid?.() === 0
if (!asRoot) console.log('power cuts are left out: a disk of their own needs root')

let directory: string
let child: ChildProcess | undefined

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'plumb-power-'))
})
afterEach(async () => {
  if (child?.exitCode === null && child.kill('SIGKILL')) await once(child, 'close')
  for (const at of ['live', 'after']) spawnSync('umount', [join(directory, at)])
  rmSync(directory, { recursive: true, force: true })
})

test.runIf(asRoot)(
  `after each of up to ${cuts} power cuts every service is as before or as after`,
  {
    timeout: noLimit,
  },
  async () => {
    const image = join(directory, 'disk')
    execFileSync('truncate', ['--size=32M', image])
    execFileSync('mkfs.ext4', ['-q', '-F', image])
    mount(image, 'live')
    const live = worldOn('live')
    await applyIn(live, generation(1))
    execFileSync('sync', ['--file-system', join(directory, 'live')])
    const seen = { old: 0, new: 0 }
    const budget = new Budget({ seconds: 30, least: 5 })
    const isOver = () => budget.done >= cuts || (budget.isOver() && seen.old > 0 && seen.new > 0)
    // How long after the start of an apply it is cut off, at most, in milliseconds: less where applies end before that.
    let within = 250
    for (let revision = 2; !isOver(); revision += 1) {
      child = applying(live, revision)
      const ended = once(child, 'close')
      if (child.stdout !== null) await Promise.race([ended, once(child.stdout, 'data')])
      while (!isOver() && child.exitCode === null) {
        // Before there is a journal nothing has been changed yet.
        while (child.exitCode === null && !existsSync(join(directory, 'live/state/journal'))) await pause(0)
        await pause((budget.done * 37) % within)
        if (!(await stopped(child))) {
          within = Math.max(20, Math.round(within * 0.7))
          break
        }
        await copyOfDisk(image)
        child.kill('SIGCONT')
        const revisions = await revisionsAfterBoot(revision)
        for (const one of revisions) seen[one === revision ? 'new' : 'old'] += 1
        budget.done += 1
      }
      await ended
      expect(child.exitCode).toBe(0)
    }
    console.log(`${budget.text(cuts, 'power cuts')}: ${seen.old} services were as before, ${seen.new} as after`)
  },
)

/** Boots the copy: what each service is at after the recovery, everything else asserted. */
async function revisionsAfterBoot(revision: number): Promise<readonly number[]> {
  mount(join(directory, 'copy'), 'after')
  try {
    const world = worldOn('after')
    const lock = await world.state.lock({ purpose: 'test', now: new Date() })
    const recovery = await recover(world.state, world.host, { lock, answering: async () => [] })
    lock.release()
    expect(recovery.problems).toEqual([])
    expect(treeOf(world.root).filter((line) => line.includes('.plumb-'))).toEqual([])
    const revisions = Array.from({ length: servicesInGeneration }, (_, index) => revisionOf(world.root, index))
    const drifted = (await reportsIn(world, generation(revision))).filter(({ findings }) => findings.length > 0)
    expect(drifted).toEqual([])
    await applyIn(world, generation(revision), { repair: 'everything' })
    expect(isInSync(await compareIn(world.again(), generation(revision)))).toBe(true)
    return revisions
  } finally {
    execFileSync('umount', [join(directory, 'after')])
  }
}

/** The one revision that every file of a service is at. */
function revisionOf(root: string, index: number): number {
  const texts = Array.from({ length: 8 }, (_, number) => readFileSync(join(root, `srv/s${index}/f${number}`), 'utf8'))
  const found = new Set(texts.flatMap((text) => [...text.matchAll(/^revision (\d+) of/gm)].map(([, at]) => Number(at))))
  expect([...found]).toHaveLength(1)
  for (const text of texts) expect(text.split('\n')).toHaveLength(51)
  return [...found][0] ?? 0
}

function worldOn(mounted: string): World {
  const at = join(directory, mounted)
  return { ...makeWorld({ root: join(at, 'root'), stateDirectory: join(at, 'state') }), directory: at }
}

function applying({ root }: World, revision: number): ChildProcess {
  const state = join(directory, 'live/state')
  const args = [script, directory, root, state, String(revision), '']
  return spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
}

function mount(image: string, name: string): void {
  const at = join(directory, name)
  mkdirSync(at, { recursive: true })
  execFileSync('mount', ['-o', 'loop', image, at])
}

/** Every thread stands still. False: it has ended meanwhile. */
async function stopped(child: ChildProcess): Promise<boolean> {
  child.kill('SIGSTOP')
  for (;;) {
    const state = stateOf(child.pid)
    if (state === undefined || state === 'Z') return false
    if (state === 'T') return true
    await pause(1)
  }
}

function stateOf(pid: number | undefined): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2)[0]
  } catch {
    return undefined
  }
}

/** What the kernel was writing when the agent was stopped comes to its end first: a copy of a moving disk is no disk. */
async function copyOfDisk(image: string): Promise<void> {
  const copy = join(directory, 'copy')
  for (;;) {
    execFileSync('cp', ['--sparse=always', image, copy])
    await pause(5)
    if (spawnSync('cmp', ['--silent', image, copy]).status === 0) return
  }
}
