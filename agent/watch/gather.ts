// Events gathered into asks: an editor's five events are one look, and a program that writes all the time is not looked at all the time.

export type GatherTiming = {
  /** Milliseconds without an event that end a burst. */
  readonly quietMs: number
  /** A burst is looked at after this long although it goes on. */
  readonly longestMs: number
  /** Asks that may follow each other at once; one more for every `refillMs`. So the wait is never longer than that. */
  readonly atOnce: number
  readonly refillMs: number
}

const usual: GatherTiming = { quietMs: 30, longestMs: 200, atOnce: 10, refillMs: 1000 }

export class Gather {
  readonly #ask: () => void
  readonly #timing: GatherTiming
  #timer: NodeJS.Timeout | undefined
  #firstAt = 0
  #left: number
  #filledAt = performance.now()

  constructor(ask: () => void, timing: GatherTiming = usual) {
    this.#ask = ask
    this.#timing = timing
    this.#left = timing.atOnce
  }

  event(): void {
    const now = performance.now()
    if (this.#timer === undefined) this.#firstAt = now
    clearTimeout(this.#timer)
    const soonest = Math.min(now + this.#timing.quietMs, this.#firstAt + this.#timing.longestMs)
    this.#timer = setTimeout(() => this.#end(), Math.max(soonest, this.#allowedAt(now)) - now)
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #end(): void {
    this.#timer = undefined
    this.#left -= 1
    this.#ask()
  }

  #allowedAt(now: number): number {
    const { atOnce, refillMs } = this.#timing
    const refilled = Math.floor((now - this.#filledAt) / refillMs)
    this.#left = Math.min(atOnce, this.#left + refilled)
    this.#filledAt += refilled * refillMs
    return this.#left > 0 ? now : this.#filledAt + refillMs
  }
}
