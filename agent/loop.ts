// The running agent: decides when to sync and check, and nothing else does. What happens in a pass is pass.ts's;
// what comes in are moments (timers, the server's asks, a stop), what goes out are reports.
import type { Report } from '../shared/report.ts'

export type PassRequest = {
  /** Ask the remote for a new revision first; else look at the host under the last good one. */
  readonly sync: boolean
  /** Hash everything, with no stat short-cut: stat can be forged. */
  readonly full: boolean
}

export type LoopTiming = { readonly syncEverySeconds: number; readonly checkEverySeconds: number }

/** What a person, the server or the host's own events asked for since the last pass. */
export type Ask = 'sync' | 'check' | 'full-check'

export type Clock = {
  /** Milliseconds that only go forward; a clock set a year off changes nothing. */
  now(): number
  /** Resolves after `ms`, or at once when the signal aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>
  /** In [0, 1). */
  random(): number
}

export type LoopParts = {
  /** Never throws: what went wrong is in the report. */
  readonly pass: (request: PassRequest) => Promise<{ readonly report: Report; readonly timing: LoopTiming }>
  readonly publish: (report: Report) => Promise<void>
  readonly asks: Asks
  readonly clock: Clock
}

/** Runs until `stop` aborts; a pass under way is finished first. */
export async function runLoop({ pass, publish, asks, clock }: LoopParts, stop: AbortSignal): Promise<void> {
  let syncDue = clock.now()
  let syncFrom = clock.now()
  let checkDue = clock.now()
  let fullDue = clock.now() + dayMs
  while (!stop.aborted) {
    const asked = asks.take()
    // A check that comes when a sync is nearly due takes it along: one pass, not two.
    const sync = asked.has('sync') || clock.now() >= syncFrom
    const full = asked.has('full-check') || clock.now() >= fullDue
    const { report, timing } = await pass({ sync, full })
    await publish(report)
    const ended = clock.now()
    if (sync) {
      syncDue = ended + jittered(timing.syncEverySeconds, clock)
      syncFrom = ended + timing.syncEverySeconds * 900
    }
    if (full) fullDue = ended + dayMs
    checkDue = ended + jittered(timing.checkEverySeconds, clock)
    await asks.waitUntil(Math.min(syncDue, checkDue), clock, stop)
  }
}

/** Asks gathered while a pass runs: ten asks in a burst are one pass. */
export class Asks {
  #asked = new Set<Ask>()
  #wake = new AbortController()

  ask(what: Ask): void {
    this.#asked.add(what)
    this.#wake.abort()
  }

  take(): ReadonlySet<Ask> {
    const asked = this.#asked
    this.#asked = new Set()
    this.#wake = new AbortController()
    return asked
  }

  async waitUntil(due: number, clock: Clock, stop: AbortSignal): Promise<void> {
    if (this.#asked.size > 0) return
    await clock.sleep(Math.max(0, due - clock.now()), AbortSignal.any([this.#wake.signal, stop]))
  }
}

const dayMs = 24 * 60 * 60 * 1000

/** Up to a tenth earlier, so that a fleet that started together does not stay together. */
function jittered(seconds: number, clock: Clock): number {
  return seconds * 1000 * (0.9 + 0.1 * clock.random())
}
