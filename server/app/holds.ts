// Holds of the fleet: stores what operators hold on which hosts, and sends it to each host, also when it reconnects later.
// Decision: docs/decisions/2026-11-26-holds-are-one-complete-list.md
import { randomUUID } from 'node:crypto'
import type { Logger } from 'pino'
import { type HoldRequest, longestHoldSeconds, type ServerHold } from '../../shared/hold.ts'
import type { HostName } from '../../shared/names.ts'
import { type ServerMessage, serverHoldsLimit } from '../../shared/protocol.ts'
import { matchesPattern } from '../../shared/repository/assign.ts'
import { suggestion } from '../../shared/repository/nearest.ts'
import type { HoldView, Views } from '../show/views.ts'
import {
  deleteHold,
  findHold,
  forgetHolds,
  insertHold,
  listHolds,
  type StoredHold,
  saveExcludedHosts,
} from '../store/holds.ts'
import type { Db } from '../store/tables.ts'
import { type Clock, later } from './clock.ts'
import type { EventFeed } from './events.ts'

export type Holds = {
  place(request: HoldRequest): Promise<Placed>
  /** For one host, or for all hosts of the hold. False when no such hold is in force. */
  release(id: string, host?: HostName): Promise<boolean>
  /** Resolves when all pending lists of holds are sent. */
  idle(): Promise<void>
}

export type Placed =
  | { readonly kind: 'placed'; readonly hold: HoldView; readonly connected: number }
  | { readonly kind: 'no-host'; readonly message: string; readonly remedy: string }
  | { readonly kind: 'too-many' }

export type HoldParts = {
  readonly db: Db
  readonly clock: Clock
  readonly log: Logger
  readonly events: EventFeed
  readonly views: Pick<Views, 'holds' | 'fleet'>
  readonly agents: HeldAgents
}

type HeldAgents = {
  isConnected(host: HostName): boolean
  connectedHosts(): readonly HostName[]
  send(host: HostName, message: HoldsMessage): void
}

export type HoldsMessage = Extract<ServerMessage, { type: 'holds' }>

/**
 * Hosts end a hold by their own clocks. Until then an expired hold stays in the list, or the host would take it for
 * released.
 */
const clocksDifferByMs = 86_400_000

export function createHolds(parts: HoldParts): Holds {
  const { db, clock, log, events, agents } = parts
  let sending: Promise<void> = Promise.resolve()
  /** Sends the complete list to a host. Serialized, so that an older list never arrives after a newer one. */
  const send = (host: HostName) => {
    if (!agents.isConnected(host)) return
    sending = sending
      .then(async () => agents.send(host, { type: 'holds', holds: await holdsFor(db, host, clock.now()) }))
      .catch((thrown: unknown) => log.error({ err: thrown, host }, 'holds could not be sent to a host'))
  }
  const changed = ({ id, service, hosts, by }: StoredHold, what: string) => {
    log.info({ hold: id, service, hosts, by }, what)
    for (const host of agents.connectedHosts()) if (matchesAny(hosts, host)) send(host)
    events.emit({ kind: 'holds-changed', hosts })
  }
  events.subscribe(['connection-changed'], ({ host }) => send(host))
  return {
    idle: () => sending,
    async place(request) {
      const now = clock.now()
      const noHost = await noHostFor(parts.views, request)
      if (noHost !== undefined) return noHost
      const hold = newHold(request, now)
      const stored = await db.transaction().execute(async (transaction) => {
        await forgetHolds(transaction, later(now, -clocksDifferByMs).toISOString())
        const known = await listHolds(transaction, '')
        const replaced = known.filter((one) => isOngoing(one, now) && isSameTarget(one, hold))
        if (known.length - replaced.length >= serverHoldsLimit) return false
        for (const { id } of replaced) await deleteHold(transaction, id)
        await insertHold(transaction, hold)
        return true
      })
      if (!stored) return { kind: 'too-many' }
      changed(hold, 'hold placed')
      return await placed(hold)
    },
    async release(id, host) {
      const hold = await findHold(db, id)
      if (hold === undefined || !isOngoing(hold, clock.now())) return false
      const isAll = host === undefined || hold.hosts.every((pattern) => pattern === host)
      if (isAll) await deleteHold(db, id)
      else if (matchesAny(hold.hosts, host))
        await saveExcludedHosts(db, id, [...new Set([...hold.excludedHosts, host])])
      else return false
      changed(hold, host === undefined ? 'hold released' : `hold released for ${host}`)
      return true
    },
  }

  async function placed(hold: StoredHold): Promise<Placed> {
    const view = (await parts.views.holds()).find(({ id }) => id === hold.id)
    if (view === undefined) throw new Error(`the hold ${hold.id} is not shown`)
    const connected = new Set<string>(agents.connectedHosts())
    return { kind: 'placed', hold: view, connected: view.hosts.filter(({ host }) => connected.has(host)).length }
  }
}

/** The complete list for one host; each message replaces the one before. */
async function holdsFor(db: Db, host: HostName, now: Date): Promise<ServerHold[]> {
  const known = await listHolds(db, later(now, -clocksDifferByMs).toISOString())
  return known
    .filter(({ hosts, excludedHosts }) => matchesAny(hosts, host) && !excludedHosts.includes(host))
    .map(({ hosts: _hosts, excludedHosts: _excluded, ...hold }) => hold)
    .slice(-serverHoldsLimit)
}

/** Refuses a hold that matches no host: a person who mistyped a name would rely on it. */
async function noHostFor(views: HoldParts['views'], { service, hosts: patterns }: HoldRequest) {
  const { hosts, services } = await views.fleet()
  const matching = hosts.filter(({ host, state }) => state !== 'not-enrolled' && matchesAny(patterns, host))
  const having = matching.filter(({ cells }) => service === '*' || cells.some((cell) => cell.service === service))
  if (having.length > 0) return undefined
  if (service !== '*' && !services.includes(service)) {
    const remedy = suggestion(service, services, 'services') ?? 'The repository has no service yet.'
    return { kind: 'no-host', message: `There is no service "${service}".`, remedy } as const
  }
  const known = hosts.filter(({ state }) => state !== 'not-enrolled').map(({ host }) => host)
  const message =
    matching.length === 0
      ? `No enrolled host is named ${patterns.join(' or ')}.`
      : `No host that is named ${patterns.join(' or ')} has ${service}.`
  return { kind: 'no-host', message, remedy: `Enrolled: ${known.slice(0, 20).join(', ') || 'none'}.` } as const
}

function newHold({ service, hosts, why, by, for: seconds }: HoldRequest, now: Date): StoredHold {
  const until = later(now, Math.min(seconds, longestHoldSeconds) * 1000)
  const times = { since: now.toISOString(), until: until.toISOString() }
  return { id: randomUUID(), service, by, why, ...times, hosts, excludedHosts: [] }
}

function isOngoing({ until }: StoredHold, now: Date): boolean {
  return now.getTime() < Date.parse(until)
}

function isSameTarget(one: StoredHold, other: StoredHold): boolean {
  return one.service === other.service && one.hosts.toSorted().join() === other.hosts.toSorted().join()
}

function matchesAny(patterns: readonly string[], host: string): boolean {
  return patterns.some((pattern) => matchesPattern(pattern, host))
}
