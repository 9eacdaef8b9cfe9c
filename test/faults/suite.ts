// Many cases: which are tried, several side by side, and what came of them, told as it goes.
import { availableParallelism } from 'node:os'
import { Arena, type Kill } from './arena.ts'
import type { Contact } from './contact.ts'
import { type Case, verdictOn } from './kills.ts'
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
  /** Ends after so long, however many kills were made, once every kind of operation had its kills. */
  readonly seconds?: number
  /** Ends when this was found. */
  readonly until?: RegExp
}

/** At every second point the agent that recovers is killed too, and the one after it. */
const againEvery = 2
const killsAtPoint = (againEvery + 2) / againEvery

/**
 * The points of a seed - operations times the ways to be killed at one, of an apply that keeps contact, and of the undo of one
 * that loses it - are all tried, evenly thinned out when there are more than kills to make; where there are fewer, the next seed
 * with other revisions follows. First comes one of each class, then they are strewn over the time: a run that ends early has been
 * everywhere as well.
 */
export async function killMany(options: SuiteOptions): Promise<Summary> {
  const { kills, firstSeed, progress, broken, seconds = Number.POSITIVE_INFINITY, until } = options
  const endsAt = performance.now() + seconds * 1000
  let isFound = false
  const arena = await Arena.open()
  try {
    const tally = new Tally(kills, progress)
    const missing = new Set((await casesOf(arena, firstSeed, kills)).map(({ of }) => of))
    const isOver = () => isFound || (performance.now() > endsAt && missing.size === 0)
    if (options.everyRecovery === true) await killRecoveries(arena, firstSeed, tally)
    for (let seed = firstSeed; tally.kills < kills && !isOver(); seed += 1)
      await sideBySide(inOrder(await casesOf(arena, seed, kills - tally.kills)), async ({ tried, of }) => {
        if (isOver()) return
        tally.points += 1
        const verdict = await verdictOn(arena, tried, broken === undefined ? {} : { broken })
        tally.add(verdict)
        missing.delete(of)
        isFound ||= until !== undefined && verdict.faults.some((fault) => until.test(fault))
      })
    return tally.summary()
  } finally {
    await arena.close()
  }
}

/** Of the kills, those of agents that lose contact. */
const lostShare = 0.2

/** `renameSync torn, lost`: operation, way and contact. */
type Class = string
type Classed = { readonly tried: Case; readonly of: Class }

async function casesOf(arena: Arena, seed: number, kills: number): Promise<readonly Classed[]> {
  const { operations, lost } = await arena.template(seed)
  return [
    ...casesAlong({ seed, contact: 'kept', operations, from: 0, kills: kills * (1 - lostShare) }),
    ...casesAlong({ seed, contact: 'lost', ...lost, kills: kills * lostShare }),
  ]
}

type Along = {
  readonly seed: number
  readonly contact: Contact
  readonly operations: readonly Operation[]
  readonly from: number
  readonly kills: number
}

function casesAlong({ seed, contact, operations, from, kills }: Along): readonly Classed[] {
  const chosen = thinned(pointsOf(operations, from), Math.ceil(kills / killsAtPoint))
  return chosen.map((kill, index) => {
    const again = index % againEvery === 0 ? laterKills(index, operations.length - kill.at) : []
    const of = [operations[kill.at - 1]?.name, kill.how, contact].join(' ')
    return { tried: { seed, contact, kills: [kill, ...again] }, of }
  })
}

function inOrder(all: readonly Classed[]): readonly Classed[] {
  const mixed = strewn(all)
  const first = [...Map.groupBy(mixed, ({ of }) => of).values()].flatMap((same) => same.slice(0, 1))
  return [...first, ...mixed.filter((one) => !first.includes(one))]
}

/** By the golden ratio: any first part of it comes from everywhere. */
function strewn<T>(all: readonly T[]): readonly T[] {
  const placed = all.map((one, index) => ({ one, place: (index * 0.618034) % 1 }))
  return placed.toSorted((a, b) => a.place - b.place).map(({ one }) => one)
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
