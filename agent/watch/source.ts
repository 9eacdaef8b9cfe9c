// A source of events outside the file system: listened to while it is needed, and again, later and later, when it ended.

export type Listening = { close(): void }

/** Starts to listen; calls `ended` once when it is over by itself. */
export type Listen = (ended: () => void) => Listening

const firstPauseMs = 1000
const longestPauseMs = 60_000

export class Source {
  readonly #listen: Listen
  /** What happened while nobody listened was not seen. */
  readonly #missed: () => void
  #listening: Listening | undefined
  #again: NodeJS.Timeout | undefined
  #pauseMs = firstPauseMs

  constructor(listen: Listen, missed: () => void) {
    this.#listen = listen
    this.#missed = missed
  }

  /** Listens from now on, or no longer. */
  follow(isNeeded: boolean): void {
    const isFollowed = this.#listening !== undefined || this.#again !== undefined
    if (isNeeded && !isFollowed) this.#start()
    if (!isNeeded) this.close()
  }

  close(): void {
    clearTimeout(this.#again)
    this.#again = undefined
    this.#listening?.close()
    this.#listening = undefined
    this.#pauseMs = firstPauseMs
  }

  #start(): void {
    const startedAt = performance.now()
    this.#again = undefined
    this.#listening = this.#listen(() => {
      this.#listening = undefined
      if (performance.now() - startedAt > longestPauseMs) this.#pauseMs = firstPauseMs
      this.#again = setTimeout(() => {
        this.#start()
        this.#missed()
      }, this.#pauseMs).unref()
      this.#pauseMs = Math.min(this.#pauseMs * 2, longestPauseMs)
    })
  }
}
