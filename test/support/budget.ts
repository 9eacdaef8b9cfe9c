// How long a test that repeats something goes on. In `npm test` it has so many seconds and says how much it did in them: a slow
// machine does less, and fails for it only where not even the least was done. PLUMB_FAULTS_LONG=1: without a limit.
export type BudgetOptions = {
  readonly seconds: number
  /** Done in any case, however long it takes; default 1. */
  readonly least?: number
}

export class Budget {
  /** Counted by the test. */
  done = 0
  readonly #least: number
  // Not performance.now(), which the fault suite has skip pauses.
  readonly #startedAt = process.hrtime.bigint()
  readonly #seconds: number

  constructor({ seconds, least = 1 }: BudgetOptions) {
    this.#least = least
    this.#seconds = isLong ? Number.POSITIVE_INFINITY : seconds
  }

  isOver(): boolean {
    return this.done >= this.#least && this.#passed() >= this.#seconds
  }

  /** `312 of 500 kills in 240 s`. */
  text(wanted: number, what: string): string {
    return `${this.done} of ${wanted} ${what} in ${Math.round(this.#passed())} s`
  }

  #passed(): number {
    return Number(process.hrtime.bigint() - this.#startedAt) / 1e9
  }
}

export const isLong = process.env['PLUMB_FAULTS_LONG'] === '1'

/** Vitest wants a limit; a test with a budget ends by that. */
export const noLimit = 6 * 3_600_000
