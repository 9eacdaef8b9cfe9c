// A source of events outside the file system: listened to while it is needed, and again, later and later, when it ended.

export type Listening = { close(): void }

/** Starts to listen; calls `ended` once when it is over by itself. */
export type Listen = (ended: () => void) => Listening

const usualFirstPauseMs = 1000
const longestPauseMs = 60_000

export class Source {
  readonly #listen: Listen
  /** What happened while there was no listener was not seen. */
  readonly #missed: () => void
  #listening: Listening | undefined
  #again: NodeJS.Timeout | undefined
  readonly #firstPauseMs: number
  #pauseMs: number

  /** `firstPauseMs`: before it listens again; doubled each time, up to a minute. */
  constructor(listen: Listen, missed: () => void, firstPauseMs = usualFirstPauseMs) {
    this.#listen = listen
    this.#missed = missed
    this.#firstPauseMs = firstPauseMs
    this.#pauseMs = firstPauseMs
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
    const listening = this.#listening
    this.#listening = undefined
    listening?.close()
    this.#pauseMs = this.#firstPauseMs
  }

  #start(): void {
    this.#again = undefined
    const startedAt = performance.now()
    let own: Listening | undefined
    let isOver = false
    const ended = () => {
      // `close` makes a stream end, too.
      if (isOver || this.#listening !== own) return
      isOver = true
      if (performance.now() - startedAt > longestPauseMs) this.#pauseMs = this.#firstPauseMs
      this.#listenLater()
    }
    try {
      own = this.#listen(ended)
      if (!isOver) this.#listening = own
    } catch {
      // No descriptors, no memory: as a stream that ends at once.
      ended()
    }
  }

  #listenLater(): void {
    this.#listening = undefined
    this.#again = setTimeout(() => {
      this.#start()
      this.#missed()
    }, this.#pauseMs).unref()
    this.#pauseMs = Math.min(this.#pauseMs * 2, longestPauseMs)
  }
}
