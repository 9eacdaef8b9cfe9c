// When each host was last heard from, in memory with millisecond precision; saved to the database coarsely (`takeUnsaved`).
import type { HostName } from '../../shared/names.ts'
import type { Clock } from '../app/clock.ts'
import type { EventFeed } from '../app/events.ts'

export type Presence = {
  lastHeardAt(host: HostName): string | undefined
  /** When the host last finished a check. */
  lastCheckedAt(host: HostName): string | undefined
  /** Time connected without a finished check; offline time does not count. */
  uncheckedForMs(host: HostName): number
  /** How far the host's clock is ahead of the server's; negative: behind. Undefined: about right, or unknown. */
  clockAheadSeconds(host: HostName): number | undefined
  /** Time since the host was last heard from, or since this server started: downtime of the server does not count. */
  unheardForMs(host: HostName): number
  /** Hosts heard from since the last call, with the time. */
  takeUnsaved(): ReadonlyMap<HostName, string>
}

type Heard = {
  readonly elapsed: number
  readonly at: string
  /** Elapsed time of the last check, or of the reconnect. */
  readonly uncheckedSince: number
}

/** Longer than several ping intervals of a connected agent. */
const awayAfterMs = 5 * 60_000

/** Clock skew up to which a host's times are shown unchanged. */
const clockToleranceSeconds = 120

/** Updated by the server's events. */
export function createPresence(clock: Clock, events: EventFeed): Presence {
  const startedAt = clock.elapsed()
  const heard = new Map<HostName, Heard>()
  const checkedAt = new Map<HostName, string>()
  const clockAhead = new Map<HostName, number>()
  let unsaved = new Map<HostName, string>()
  events.subscribe(['host-heard'], ({ host }) => {
    const at = clock.now().toISOString()
    const elapsed = clock.elapsed()
    const before = heard.get(host)
    const wasAway = before === undefined || elapsed - before.elapsed >= awayAfterMs
    heard.set(host, { elapsed, at, uncheckedSince: wasAway ? elapsed : before.uncheckedSince })
    unsaved.set(host, at)
  })
  events.subscribe(['check-finished'], ({ host }) => {
    checkedAt.set(host, clock.now().toISOString())
    const before = heard.get(host)
    if (before !== undefined) heard.set(host, { ...before, uncheckedSince: before.elapsed })
  })
  events.subscribe(['clock-read'], ({ host, at, isFresh }) => {
    const ahead = Math.round((Date.parse(at) - clock.now().getTime()) / 1000)
    if (Math.abs(ahead) <= clockToleranceSeconds) clockAhead.delete(host)
    // An old report does not prove that a clock is behind; a report from the future proves that it is ahead.
    else if (ahead > 0 || (ahead < 0 && isFresh)) clockAhead.set(host, ahead)
  })
  events.subscribe(['host-removed'], ({ host }) => {
    heard.delete(host)
    checkedAt.delete(host)
    clockAhead.delete(host)
    unsaved.delete(host)
  })
  return {
    lastHeardAt: (host) => heard.get(host)?.at,
    lastCheckedAt: (host) => checkedAt.get(host),
    uncheckedForMs(host) {
      const { elapsed, uncheckedSince } = heard.get(host) ?? { elapsed: 0, uncheckedSince: 0 }
      return elapsed - uncheckedSince
    },
    clockAheadSeconds: (host) => clockAhead.get(host),
    unheardForMs: (host) => clock.elapsed() - (heard.get(host)?.elapsed ?? startedAt),
    takeUnsaved() {
      const taken = unsaved
      unsaved = new Map()
      return taken
    },
  }
}
