// The running agent: decides when to sync and when to look at the host, and nothing else does. What happens in a pass is pass.ts's;
// what comes in are moments (timers, the server's asks, a stop), what goes out are reports.
import type { Report } from '../shared/report.ts'

export type PassRequest = {
  /** Hash everything, with no stat short-cut: stat can be forged. */
  readonly full: boolean
}

export type LoopTiming = { readonly syncEverySeconds: number; readonly checkEverySeconds: number }

/** What a person, the server or the host's own events asked for since the last pass. */
export type LoopRequest = 'sync' | 'check' | 'full-check'

export type Clock = {
  /** Milliseconds that only go forward; a clock set a year off changes nothing. */
  now(): number
  /** Resolves after `ms`, or at once when the signal aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>
  /** In [0, 1). */
  random(): number
}

export type LoopParts = {
  /** Asks the remote for a new revision: the next pass applies it. Never throws: what went wrong is in the reports of later passes. */
  readonly sync: (stop: AbortSignal) => Promise<void>
  /** Looks at the host under the last good revision. Never throws: what went wrong is in the report. */
  readonly pass: (request: PassRequest) => Promise<{ readonly report: Report; readonly timing: LoopTiming }>
  readonly publish: (report: Report) => Promise<void>
  readonly requests: Requests
  readonly clock: Clock
}

/** A pass waits so long for a sync that has just begun: then one pass does for both. A slower remote is not waited for. */
export const syncPatienceMs = 5000
/** Between two syncs, whoever asks: a server that asks in a loop makes no storm on the remote. */
export const syncFloorMs = 5000

/** Runs until `stop` aborts: a pass under way is finished first, a sync is broken off. */
export async function runLoop(parts: LoopParts, stop: AbortSignal): Promise<void> {
  const over = new AbortController()
  const syncing = { current: Promise.resolve() }
  try {
    await passUntil(stop, parts, () => {
      const ended = parts.sync(AbortSignal.any([stop, over.signal]))
      syncing.current = ended.then(() => parts.requests.add('synced'))
    })
  } finally {
    over.abort()
    await syncing.current
  }
}

async function passUntil(
  stop: AbortSignal,
  { pass, publish, requests, clock }: LoopParts,
  beginSync: () => void,
): Promise<void> {
  const start = clock.now()
  const due = {
    sync: start,
    askedSync: start,
    syncWithCheck: start,
    check: start,
    patience: start,
    full: start + dayMs,
  }
  while (!stop.aborted) {
    requests.listen()
    const now = clock.now()
    const checkAt = requests.has('check') || requests.has('full-check') ? now : due.check
    const asked = requests.has('sync') ? due.askedSync : never
    // A check that comes when a sync is nearly due takes it along: one pass, not two.
    const syncAt = Math.min(asked, due.sync, Math.max(checkAt, due.syncWithCheck))
    if (now >= syncAt) {
      requests.drop('sync')
      Object.assign(due, { sync: never, askedSync: never, syncWithCheck: never, patience: now + syncPatienceMs })
      beginSync()
      continue
    }
    const isSynced = requests.has('synced')
    const passAt = isSynced ? now : Math.max(checkAt, due.patience)
    if (now < passAt) {
      await requests.waitUntil(Math.min(syncAt, passAt), clock, stop)
      continue
    }
    const full = requests.has('full-check') || now >= due.full
    requests.drop('synced', 'check', 'full-check')
    const { report, timing } = await pass({ full })
    await publish(report)
    const ended = clock.now()
    due.check = ended + jittered(timing.checkEverySeconds, clock)
    if (full) due.full = ended + dayMs
    if (isSynced) Object.assign(due, syncsAfter(ended, timing, clock))
    else if (due.sync !== never) due.sync = Math.min(due.sync, ended + timing.syncEverySeconds * 1000)
  }
}

/** When the next sync is due by itself, when somebody asks for it, and when a check takes it along. */
function syncsAfter(ended: number, { syncEverySeconds }: LoopTiming, clock: Clock) {
  return {
    sync: ended + jittered(syncEverySeconds, clock),
    askedSync: ended + syncFloorMs,
    syncWithCheck: ended + syncEverySeconds * 900,
    patience: ended,
  }
}

/** Asks gathered while a pass runs: ten asks in a burst are one pass. */
export class Requests {
  /** `synced`: the loop's own, when a sync has ended. */
  readonly #asked = new Set<LoopRequest | 'synced'>()
  #wake = new AbortController()

  add(request: LoopRequest | 'synced'): void {
    if (this.#asked.has(request)) return
    this.#asked.add(request)
    this.#wake.abort()
  }

  has(request: LoopRequest | 'synced'): boolean {
    return this.#asked.has(request)
  }

  drop(...requests: readonly (LoopRequest | 'synced')[]): void {
    for (const request of requests) this.#asked.delete(request)
  }

  /** What is asked from now on ends the next wait. */
  listen(): void {
    this.#wake = new AbortController()
  }

  async waitUntil(due: number, clock: Clock, stop: AbortSignal): Promise<void> {
    await clock.sleep(Math.max(0, due - clock.now()), AbortSignal.any([this.#wake.signal, stop]))
  }
}

const never = Number.POSITIVE_INFINITY
const dayMs = 24 * 60 * 60 * 1000

/** Up to a tenth earlier, so that a fleet that started together does not stay together. */
function jittered(seconds: number, clock: Clock): number {
  return seconds * 1000 * (0.9 + 0.1 * clock.random())
}
