// Waiting: for something outside to come true, and before trying again what failed.
import { setTimeout as sleep } from 'node:timers/promises'

export type Patience = { readonly seconds: number; readonly pauseMs: number }

/** Looks again and again until there is an answer; undefined when there was none in time. Looks at least once. */
export async function eventually<T>(look: () => Promise<T | undefined>, patience: Patience): Promise<T | undefined> {
  const giveUpAt = performance.now() + patience.seconds * 1000
  for (;;) {
    const answer = await look()
    if (answer !== undefined || performance.now() + patience.pauseMs > giveUpAt) return answer
    await sleep(patience.pauseMs)
  }
}

/**
 * How long to wait after the n-th failure in a row (1 is the first): doubles from 15 s to 30 min, the upper half of it
 * by chance, so that hosts that failed together do not come back together. `random` is in [0, 1).
 */
export function backoffSeconds(failures: number, random: number): number {
  const ceiling = Math.min(15 * 2 ** (failures - 1), 1800)
  return ceiling / 2 + (ceiling / 2) * random
}
