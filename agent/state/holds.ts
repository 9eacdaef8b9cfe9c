// Holds made by a person on this host or by the server. Read from disk each time, because `plumb hold` runs beside the
// agent. They end by the wall clock, because people name a time of day.

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
  /** The person who released a hold of the server on this host; kept until the server ends the hold too. */
  releasedBy: z.string().max(200).optional(),
  /** Its end is in the agent's log. */
  isLogged: z.boolean().optional(),
})

export type KeptHold = z.infer<typeof keptSchema>

export type HoldsNow = {
  /** The hold that covers the service and ends last. */
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
  /** Replaces an earlier hold of the same target made on this host. On disk when it returns. */
  add(hold: NewHold): Promise<{ readonly hold: KeptHold; readonly replaced: KeptHold | undefined }>
  /** Releases holds in force of exactly this target; those of the server only for this host. Returns them. */
  release(service: HoldTarget, by: string): Promise<readonly KeptHold[]>
  /** Replaces the server's holds by its present list. True when that changes the holds. */
  replaceServerHolds(holds: readonly ServerHold[]): Promise<boolean>
  /** Expired holds whose end has not been logged yet. */
  takeUnlogged(): Promise<readonly EndedHold[]>
}

export function holdStore(directory: string, now: () => Date = () => new Date()): HoldStore {
  const path = join(directory, 'holds.json')
  /** One writer at a time among all processes; `change` returns undefined when there is nothing to write. */
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

/** Applies the present holds to service reports, which may come from an earlier check. */
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

/** Kept with its release: the server's list still has the hold, which would otherwise return. */
function releasedHere(hold: KeptHold, by: string): readonly KeptHold[] {
  return hold.origin === 'host' ? [] : [{ ...hold, releasedBy: by }]
}

/** A known hold stays as first received, so that a later message cannot extend it. */
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

/** Limits the length by this host's clock; the hour allows for clocks that differ. */
function isOfSaneLength({ until }: ServerHold, at: Date): boolean {
  return Date.parse(until) - at.getTime() <= (longestHoldSeconds + 3600) * 1000
}

async function takeUnlogged(path: string, now: () => Date, changing: Changing): Promise<readonly EndedHold[]> {
  const isNews = (one: KeptHold, at: Date) =>
    !isActive(one, at) && one.releasedBy === undefined && one.isLogged !== true
  // Called by every pass; usually there is nothing to log or write.
  if (!readKept(path).kept.some((one) => isNews(one, now()))) return []
  return await changing((kept, at) => ({
    kept: kept.map((one) => (isNews(one, at) ? { ...one, isLogged: true } : one)),
    result: kept.filter((one) => isNews(one, at)).map(endedOf),
  }))
}

/** Longer than any outage of a server that matters. */
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
    message: `the record of holds cannot be read; it was quarantined as ${aside}. No service is held any more.`,
    where: { file: path },
    remedy: 'Hold the services again that must not change: plumb hold SERVICE --for 2h --why "..."',
  }
}
