// Services of one apply side by side: whoever changes the host holds the baton, one service at a time; whoever only waits - for stability,
// health, checks - passes it on. In every service all paths come before the first wait, so paths are changed in the order of the plan.
// Decision: docs/decisions/2026-11-26-services-become-stable-side-by-side.md
import type { Waiting } from '../resources/kind.ts'

/** Services that start at a time: two hundred stacks that start at once would keep each other from becoming healthy. */
const startingAtMost = 16

type Entry = { readonly order: number; readonly isReturning: boolean; readonly take: () => void }

export class Baton {
  readonly #idle: () => void
  #isTaken = false
  #starting = 0
  readonly #queue = new Set<Entry>()

  /** `idle` is called when nobody acts, and somebody waits. */
  constructor(idle: () => void) {
    this.#idle = idle
  }

  /** Does `work` when it is its turn: the lowest `order` of those that want the baton; whoever comes back from a wait before them. */
  async act<Result>(order: number, work: (waiting: Waiting) => Promise<Result>): Promise<Result> {
    await this.#take(order, false)
    const waiting: Waiting = async (wait, { isStarting = true } = {}) => {
      if (isStarting) this.#starting += 1
      this.#pass()
      try {
        return await wait()
      } finally {
        if (isStarting) this.#starting -= 1
        await this.#take(order, true)
      }
    }
    try {
      return await work(waiting)
    } finally {
      this.#pass()
    }
  }

  async #take(order: number, isReturning: boolean): Promise<void> {
    const { promise, resolve: take } = Promise.withResolvers<void>()
    this.#queue.add({ order, isReturning, take })
    if (!this.#isTaken) this.#pass()
    await promise
  }

  /** A moment later: what waited for the one that just ended takes its place in the order first. */
  #pass(): void {
    this.#isTaken = true
    setImmediate(() => {
      const next = this.#next()
      this.#isTaken = next !== undefined
      if (next === undefined) return this.#idle()
      this.#queue.delete(next)
      next.take()
    })
  }

  #next(): Entry | undefined {
    let next: Entry | undefined
    for (const entry of this.#queue)
      if (entry.isReturning || this.#starting < startingAtMost) next = next === undefined ? entry : first(next, entry)
    return next
  }
}

function first(one: Entry, other: Entry): Entry {
  if (one.isReturning !== other.isReturning) return one.isReturning ? one : other
  return other.order < one.order ? other : one
}
