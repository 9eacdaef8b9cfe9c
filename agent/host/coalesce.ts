// One look for all who ask at about the same time.
import { setTimeout as sleep } from 'node:timers/promises'

/** Each answer is of a look that began after it was asked for. Two looks begin at least `apartMs` after each other. */
export function coalesced<Answer>(attempt: () => Promise<Answer>, apartMs = 500): () => Promise<Answer> {
  let last: Promise<unknown> = Promise.resolve()
  let next: Promise<Answer> | undefined
  let begun = Number.NEGATIVE_INFINITY
  const begin = async () => {
    await last.catch(() => undefined)
    await sleep(Math.max(0, begun + apartMs - performance.now()))
    begun = performance.now()
    next = undefined
    return await attempt()
  }
  return () => {
    if (next === undefined) {
      next = begin()
      last = next
    }
    return next
  }
}
