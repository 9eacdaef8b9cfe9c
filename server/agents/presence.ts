// When each host was last heard, in memory and to the millisecond; the database learns of it coarsely (`takeUnsaved`).
import type { HostName } from '../../shared/names.ts'
import type { Clock } from '../app/clock.ts'
import type { EventFeed } from '../app/events.ts'

export type Presence = {
  lastHeardAt(host: HostName): string | undefined
  /** When it last said what a check found, or that it found nothing new: more than that it is there. */
  lastCheckedAt(host: HostName): string | undefined
  /** For how long it was heard of and said nothing of a check; time it was away does not count. */
  uncheckedForMs(host: HostName): number
  /** How far the host's clock is ahead of the server's, below zero: behind. Undefined: about right, or not known. */
  clockAheadSeconds(host: HostName): number | undefined
  /** Since the host was last heard, or since this server began to listen: time it was down counts against nobody. */
  unheardForMs(host: HostName): number
  /** Hosts heard since the last call, with the time. */
  takeUnsaved(): ReadonlyMap<HostName, string>
}

type Heard = {
  readonly elapsed: number
  readonly at: string
  /** Elapsed: the last check, or when it came back. */
  readonly uncheckedSince: number
}

/** A connected agent is pinged several times meanwhile. */
const awayAfterMs = 5 * 60_000

/** What a clock may be off before its times are no longer taken as they are. */
const clockToleranceSeconds = 120

/** Learns of hosts by the events of the server. */
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
    // A report of long ago says nothing of a clock that is behind; one of the future does of a clock that is ahead.
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
