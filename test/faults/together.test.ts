// Many agents at once, agents that are stopped for a while, and clocks that are set: the `plumb` command and the agent of the
// fault suite as processes.
import type { ChildProcess } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { exampleFleet } from '../lab/example-fleet.ts'
import type { TestRepository } from '../support/git.ts'
import { makeSandbox, type Sandbox } from '../support/plumb.ts'
import { Arena } from './arena.ts'
import { type BundledPlumb, bundlePlumb } from './bundled-plumb.ts'
import { verdictOn } from './kills.ts'
import { seenIn } from './seen.ts'
import { failureLines } from './tally.ts'

let plumb: BundledPlumb
let arena: Arena
let fleet: TestRepository
let box: Sandbox

beforeAll(async () => {
  plumb = await bundlePlumb()
  arena = await Arena.open()
})
afterAll(async () => {
  plumb.remove()
  await arena.close()
})
beforeEach(async () => {
  fleet = await exampleFleet()
  box = await makeSandbox({ repo: fleet.directory })
})
afterEach(async () => {
  await box.remove()
  await fleet.remove()
})

const here = (verb: string) => [
  verb,
  '--repo',
  fleet.directory,
  '--host',
  'web-1',
  '--root',
  box.root,
  '--state',
  box.state,
]
const fifty = Array.from({ length: 50 })

test('of fifty agents at once one works, and the others say which and end', async () => {
  const agents = fifty.map(() => plumb.start([...here('agent'), '--attached']))
  const running = new Set(agents)
  const refused = await Promise.all(
    agents.map(async (agent) => {
      const ended = await Promise.race([agent.ended, untilOneIsLeft(running)])
      if (ended !== undefined) running.delete(agent)
      return ended
    }),
  )
  const [only, ...others] = running
  expect(others).toEqual([])
  const said = refused.flatMap((ended) => ended ?? [])
  expect(said.map(({ code }) => code)).toEqual(Array.from({ length: 49 }, () => 1))
  for (const { err } of said) expect(err).toContain(`"plumb agent" is under way: process ${only?.child.pid}`)
  only?.child.stdin?.end()
  expect((await only?.ended)?.code).toBe(0)
  expect((await plumb.run(here('check'))).out).toMatch(/^in sync: 3 services/)
})

test('fifty applies at once take turns: one does the work, the others find nothing to do', async () => {
  const ended = await Promise.all(fifty.map(() => plumb.run(here('apply'))))
  const worked = ended.filter(({ out }) => out.includes('wrote /etc/motd'))
  expect(worked).toHaveLength(1)
  const idle = ended.filter(({ out }) => /^nothing to change: in sync/m.test(out))
  const late = ended.filter(({ code, err }) => code === 1 && /is under way: process \d+, since/.test(err))
  expect(idle.length + late.length).toBe(49)
  expect(idle.every(({ code }) => code === 0)).toBe(true)
  expect((await plumb.run(here('check'))).out).toMatch(/^in sync: 3 services/)
})

test('an agent that is stopped in mid-apply holds its lock, and comes to its end when it may go on', async () => {
  const { world: template, after } = await arena.template(1)
  const world = arena.copyOf(template)
  const where = { world: world.directory, seed: 1, revision: 2, phases: ['apply'] } as const
  let child: ChildProcess | undefined
  const first = arena.run(where, { onStart: (started) => (child = started) })
  await journalOf(world.directory)
  child?.kill('SIGSTOP')
  const second = await arena.run(where)
  expect(second.crash).toMatch(/"apply" is under way: process \d+/)
  child?.kill('SIGCONT')
  const pauses = setInterval(() => {
    child?.kill('SIGSTOP')
    setTimeout(() => child?.kill('SIGCONT'), 150)
  }, 300)
  const ended = await first
  clearInterval(pauses)
  expect(ended).toMatchObject({ crash: undefined, phases: [{ problems: [] }] })
  expect(seenIn(world.directory, world.host)).toEqual(after)
  arena.remove(world)
})

test.each([
  ['a year back', [365, 0]],
  ['a year on', [0, 365]],
  ['a year back and on again', [0, -365, 365]],
])('a clock that is set %s between an apply that is killed and its recovery changes nothing', async (_, clockDays) => {
  const { operations } = await arena.template(1)
  for (const part of [0.2, 0.4, 0.6, 0.8, 0.95]) {
    const at = Math.floor(operations.length * part)
    const kills = clockDays.slice(1).map((__, index) => ({ at: index === 0 ? at : 25, how: 'after' as const }))
    const verdict = await verdictOn(arena, { seed: 1, kills }, { clockDays })
    expect(verdict.faults.length === 0 ? [] : failureLines(verdict)).toEqual([])
    expect(verdict.killed).toHaveLength(kills.length)
  }
})

test('a service that failed while the clock was a year ahead is tried again when the clock is right', async () => {
  await mkdir(join(box.root, 'etc/motd/in-the-way'), { recursive: true })
  const ahead = plumb.start([...here('agent'), '--attached'], { PLUMB_CLOCK_DAYS: '365' })
  await lineOf(ahead.child, '"base":"failed')
  ahead.child.stdin?.end()
  await ahead.ended
  rmSync(join(box.root, 'etc/motd'), { recursive: true })
  const right = plumb.start([...here('agent'), '--attached'])
  await lineOf(right.child, '"base":"in-sync"')
  right.child.stdin?.end()
  expect((await right.ended).code).toBe(0)
})

async function untilOneIsLeft(running: ReadonlySet<unknown>): Promise<undefined> {
  while (running.size > 1) await sleep(20)
}

async function journalOf(world: string): Promise<void> {
  for (;;) {
    try {
      if (readFileSync(join(world, 'state/journal'), 'utf8').length > 4000) return
    } catch {
      // There is none before the first change.
    }
    await sleep(2)
  }
}

function lineOf(child: ChildProcess, part: string): Promise<void> {
  let said = ''
  return new Promise((resolve, reject) => {
    child.once('close', () => reject(new Error(`it ended without saying ${part}:\n${said}`)))
    child.stdout?.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      if (said.includes(part)) resolve()
    })
  })
}
