// Holds: what a person on this host, or the server for one, wants left alone, by whom, why and until when. On disk, and read from
// there each time, because `plumb hold` works beside a running agent. The wall clock ends them: people name a time of day.

import { renameSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { compact } from '../../shared/compact.ts'
import { covers, type HoldTarget, holdTargetSchema, longestHoldSeconds, type ServerHold } from '../../shared/hold.ts'
import type { ServiceName } from '../../shared/names.ts'
import { readIfThere, replaceDurably } from '../../shared/platform/durable.ts'
import type { Problem } from '../../shared/problem.ts'
import { type EndedHold, type Hold, holdSchema, type ServiceReport } from '../../shared/report.ts'
import { acquireLock } from './lock.ts'

const keptSchema = holdSchema.extend({
  service: holdTargetSchema,
  since: z.iso.datetime(),
  until: z.iso.datetime(),
  origin: z.enum(['host', 'server']),
  /** Who on this host ended a hold of the server; kept until the server ends it too. */
  releasedBy: z.string().max(200).optional(),
  /** Its end is in the agent's log. */
  isLogged: z.boolean().optional(),
})

export type KeptHold = z.infer<typeof keptSchema>

export type HoldsNow = {
  /** Of those that cover the service, the one that ends last. */
  of(service: ServiceName): Hold | undefined
  readonly active: readonly KeptHold[]
  /** Newest last. */
  readonly ended: readonly EndedHold[]
  readonly problems: readonly Problem[]
}

export type NewHold = {
  readonly service: HoldTarget
  readonly by: string
  readonly why: string
  readonly seconds: number
}

export type HoldStore = {
  read(): HoldsNow
  /** Takes the place of what somebody on this host held before. On disk when it returns. */
  add(hold: NewHold): Promise<{ readonly hold: KeptHold; readonly replaced: KeptHold | undefined }>
  /** Those of exactly this target that were in force; the server's are released for this host. */
  release(service: HoldTarget, by: string): Promise<readonly KeptHold[]>
  /** All that the server has for this host now. True when that changes what is held. */
  replaceServerHolds(holds: readonly ServerHold[]): Promise<boolean>
  /** Those that time ended and that nobody has logged yet. */
  takeUnlogged(): Promise<readonly EndedHold[]>
}

export function holdStore(directory: string, now: () => Date = () => new Date()): HoldStore {
  const path = join(directory, 'holds.json')
  /** One writer at a time, whichever process it is; `change` says undefined when there is nothing to write. */
  const changing = async <T>(change: (kept: readonly KeptHold[], at: Date) => Change<T>): Promise<T> => {
    const lock = await acquireLock(join(directory, 'holds-lock'), { purpose: 'hold', now: now(), waitSeconds: 10 })
    try {
      const { kept, result } = change(readKept(path).kept, now())
      if (kept !== undefined) await replaceDurably([{ path, content: `${JSON.stringify(bounded(kept, now()))}\n` }])
      return result
    } finally {
      lock.release()
    }
  }
  return {
    read: () => {
      const { kept, problems } = readKept(path)
      return { ...holdsAt(kept, now()), problems }
    },
    add: ({ service, by, why, seconds }) =>
      changing((kept, at) => {
        const until = new Date(at.getTime() + seconds * 1000).toISOString()
        const hold: KeptHold = { service, by, why, since: at.toISOString(), until, origin: 'host' }
        const replaced = kept.find((one) => isActive(one, at) && one.origin === 'host' && one.service === service)
        return { kept: [...kept.filter((one) => one !== replaced), hold], result: { hold, replaced } }
      }),
    release: (service, by) =>
      changing((kept, at) => {
        const released = kept.filter((one) => isActive(one, at) && one.service === service)
        const left = kept.flatMap((one) => (released.includes(one) ? releasedHere(one, by) : [one]))
        return { kept: released.length === 0 ? undefined : left, result: released }
      }),
    replaceServerHolds: (holds) =>
      changing((kept, at) => {
        const next = mergedHolds(holds, kept, at)
        const isSame = JSON.stringify(next) === JSON.stringify(kept)
        return { kept: isSame ? undefined : next, result: !isSame }
      }),
    takeUnlogged: () => takeUnlogged(path, now, changing),
  }
}

/** A hold counts from the moment it is made, and to its end; the last look may be older. */
export function heldAsNow(services: readonly ServiceReport[], holds: HoldsNow): readonly ServiceReport[] {
  return services.map(({ hold: _, ...service }) => {
    const hold = holds.of(service.service)
    return hold === undefined ? service : { ...service, hold }
  })
}

type Change<T> = { readonly kept: readonly KeptHold[] | undefined; readonly result: T }
type Changing = <T>(change: (kept: readonly KeptHold[], at: Date) => Change<T>) => Promise<T>

function holdsAt(kept: readonly KeptHold[], at: Date): Omit<HoldsNow, 'problems'> {
  const active = kept.filter((one) => isActive(one, at))
  return {
    of: (service) => {
      const covering = active.filter((one) => covers(one.service, service))
      const [last] = covering.toSorted((one, other) => Date.parse(other.until) - Date.parse(one.until))
      return last === undefined ? undefined : holdOf(last, covering)
    },
    active,
    ended: kept
      .filter((one) => !isActive(one, at))
      .slice(-100)
      .map(endedOf),
  }
}

function isActive({ until, releasedBy }: KeptHold, at: Date): boolean {
  return releasedBy === undefined && at.getTime() < Date.parse(until)
}

function holdOf({ by, why, until, since, origin, id }: KeptHold, covering: readonly KeptHold[]): Hold {
  const targets = [...new Set(covering.map(({ service }) => service))].toSorted()
  return { by, why, until, since, origin, ...compact({ id }), targets }
}

function endedOf({ isLogged: _, ...hold }: KeptHold): EndedHold {
  return hold
}

/** The server's list has it still: what is forgotten here would come back with it. */
function releasedHere(hold: KeptHold, by: string): readonly KeptHold[] {
  return hold.origin === 'host' ? [] : [{ ...hold, releasedBy: by }]
}

/** What is known stays as it came first, so that no second message makes a hold longer. */
function mergedHolds(holds: readonly ServerHold[], kept: readonly KeptHold[], at: Date): readonly KeptHold[] {
  const listed = new Set(holds.map(({ id }) => id))
  const known = new Set(kept.map(({ id }) => id))
  const left = kept.filter((one) => one.origin === 'host' || !isOngoing(one, at) || listed.has(one.id ?? ''))
  const added = holds.filter((one) => !known.has(one.id) && isOngoing(one, at) && isOfSaneLength(one, at))
  return [...left, ...added.map((one): KeptHold => ({ ...one, origin: 'server' }))]
}

function isOngoing({ until }: { readonly until: string }, at: Date): boolean {
  return at.getTime() < Date.parse(until)
}

/** By this host's clock, whatever the server says of its own; an hour is for clocks that differ. */
function isOfSaneLength({ until }: ServerHold, at: Date): boolean {
  return Date.parse(until) - at.getTime() <= (longestHoldSeconds + 3600) * 1000
}

async function takeUnlogged(path: string, now: () => Date, changing: Changing): Promise<readonly EndedHold[]> {
  const isNews = (one: KeptHold, at: Date) =>
    !isActive(one, at) && one.releasedBy === undefined && one.isLogged !== true
  // Each pass asks: nearly always there is nothing to say, and nothing to write.
  if (!readKept(path).kept.some((one) => isNews(one, now()))) return []
  return await changing((kept, at) => ({
    kept: kept.map((one) => (isNews(one, at) ? { ...one, isLogged: true } : one)),
    result: kept.filter((one) => isNews(one, at)).map(endedOf),
  }))
}

/** Longer than any server is away that anybody waits for. */
const endedKeptMs = 30 * 86_400_000
const keptLimit = 500

function bounded(kept: readonly KeptHold[], at: Date): readonly KeptHold[] {
  return kept.filter(({ until }) => at.getTime() < Date.parse(until) + endedKeptMs).slice(-keptLimit)
}

function readKept(path: string): { readonly kept: readonly KeptHold[]; readonly problems: readonly Problem[] } {
  const bytes = readIfThere(path)
  if (bytes === undefined) return { kept: [], problems: [] }
  try {
    return { kept: z.array(keptSchema).parse(JSON.parse(bytes.toString('utf8'))), problems: [] }
  } catch {
    return { kept: [], problems: [setAside(path)] }
  }
}

function setAside(path: string): Problem {
  const aside = `${path}.corrupt`
  renameSync(path, aside)
  return {
    code: 'state-corrupt',
    message: `the record of what is held cannot be read; it was set aside as ${aside}. Nothing is held any more.`,
    where: { file: path },
    remedy: 'Hold again what is to be left alone: plumb hold SERVICE --for 2h --why "..."',
  }
}
