// Long synchronous work that lets the event loop have its turn: a check of 10,000 files does not stop the agent's connections.
import { setImmediate as nextTurn } from 'node:timers/promises'

const workMs = 10

/** Resolves at once, except when `workMs` have passed since the event loop last had its turn. */
export function eventLoopYield(): () => Promise<void> {
  let since = performance.now()
  return async () => {
    if (performance.now() - since < workMs) return
    await nextTurn()
    since = performance.now()
  }
}
