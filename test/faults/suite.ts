// Many cases: which are tried, several side by side, and what came of them, told as it goes.
import { availableParallelism } from 'node:os'
import { Arena, type Kill } from './arena.ts'
import type { Contact } from './contact.ts'
import { verdictOn } from './kills.ts'
import { type Operation, waysToKill } from './operations.ts'
import { type Summary, Tally } from './tally.ts'

export type SuiteOptions = {
  readonly kills: number
  readonly firstSeed: number
  /** Says how far it is. */
  readonly progress?: (line: string) => void
  /** kill-at.ts: what is broken on purpose. */
  readonly broken?: string
  /** Also, of the first seed: every operation of the recoveries from a kill before each step of an apply. */
  readonly everyRecovery?: boolean
}

/** At every third point the agent that recovers is killed too, and the one after it. */
const againEvery = 3
const killsAtPoint = (againEvery + 2) / againEvery

/**
 * First agents that lose contact, killed in the undo of all that they did; then those that keep it. The points of a seed - operations times the ways to be killed at one - are tried from end to end, evenly thinned out when
 * there are more than kills to make; where there are fewer, the next seed with other revisions follows.
 */
export async function killMany(options: SuiteOptions): Promise<Summary> {
  const { kills, firstSeed, progress, broken } = options
  const arena = await Arena.open()
  try {
    const tally = new Tally(kills, progress)
    if (options.everyRecovery === true) await killRecoveries(arena, firstSeed, tally)
    for (const contact of ['lost', 'kept'] as const) {
      const share = contact === 'lost' ? Math.floor(kills * lostShare) : kills
      for (let seed = firstSeed; tally.kills < share; seed += 1)
        await killAlong(arena, { seed, contact, kills: share - tally.kills, ...(broken && { broken }) }, tally)
    }
    return tally.summary()
  } finally {
    await arena.close()
  }
}

/** Of the kills, those of agents that lose contact. */
const lostShare = 0.2

type Along = {
  readonly seed: number
  readonly contact: Contact
  readonly kills: number
  readonly broken?: string
}

async function killAlong(arena: Arena, { seed, contact, kills, broken }: Along, tally: Tally): Promise<void> {
  const template = await arena.template(seed)
  const { operations, from } = contact === 'lost' ? template.lost : { operations: template.operations, from: 0 }
  const chosen = thinned(pointsOf(operations, from), Math.ceil(kills / killsAtPoint))
  tally.points += chosen.length
  await sideBySide([...chosen.entries()], async ([index, kill]) => {
    const again = index % againEvery === 0 ? laterKills(index, operations.length - kill.at) : []
    const circumstances = broken === undefined ? {} : { broken }
    tally.add(await verdictOn(arena, { seed, contact, kills: [kill, ...again] }, circumstances))
  })
}

/** What an agent writes into its journal parts the steps of an apply. */
async function killRecoveries(arena: Arena, seed: number, tally: Tally): Promise<void> {
  const { operations } = await arena.template(seed)
  const steps = operations.flatMap(({ name, where }, index) =>
    name === 'writeSync' && where.endsWith('/state/journal') ? [index + 1] : [],
  )
  tally.points += steps.length
  for (const at of steps) {
    const first: Kill = { at, how: 'before' }
    const length = await recoveryLength(arena, seed, first)
    await sideBySide(
      Array.from({ length }, (_, index) => index + 1),
      async (second) => {
        const how = second % 2 === 0 ? 'before' : 'after'
        tally.add(await verdictOn(arena, { seed, kills: [first, { at: second, how }] }))
      },
    )
  }
}

async function recoveryLength(arena: Arena, seed: number, kill: Kill): Promise<number> {
  const world = arena.copyOf((await arena.template(seed)).world)
  try {
    const where = { world: world.directory, seed, revision: 2 } as const
    await arena.run({ ...where, phases: ['apply'] }, { kill })
    const { phases } = await arena.run({ ...where, phases: ['recover'] })
    return phases[0]?.operations.length ?? 0
  } finally {
    arena.remove(world)
  }
}

/** Every operation of the apply of a seed, in every way. */
function pointsOf(operations: readonly Operation[], from: number): readonly Kill[] {
  const points = operations.flatMap((operation, index) =>
    waysToKill(operation).map((how): Kill => ({ at: index + 1, how })),
  )
  return points.filter(({ at }) => at > from)
}

function thinned<T>(all: readonly T[], count: number): readonly T[] {
  if (count >= all.length) return all
  return all.filter(
    (_, index) => Math.floor((index * count) / all.length) !== Math.floor(((index - 1) * count) / all.length),
  )
}

/** A recovery of what was done, and an apply of what is left, are some more operations than were left to do. */
const recoveryOperations = 30

/** Anywhere in the processes after the first kill; the golden ratio strews the places evenly. */
function laterKills(index: number, left: number): readonly Kill[] {
  return [1, 2].map((nth) => {
    const place = (index * nth * 0.618034) % 1
    return {
      at: 1 + Math.floor(place * (left + recoveryOperations)),
      how: (index + nth) % 2 === 0 ? 'before' : 'after',
    }
  })
}

/** A process and the tools it asks take turns, so a processor has room for more than one. */
async function sideBySide<T>(all: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  const waiting = [...all]
  const worker = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await work(next)
  }
  await Promise.all(Array.from({ length: availableParallelism() + 1 }, worker))
}
