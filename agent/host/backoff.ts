// Waiting for something outside to come true.
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
