// Waiting for something outside to come true.
import { setTimeout as sleep } from 'node:timers/promises'

export type PollLimits = { readonly seconds: number; readonly pauseMs: number }

/** Looks again and again until there is an answer; undefined when there was none in time. Looks at least once. */
export async function pollUntil<T>(attempt: () => Promise<T | undefined>, limits: PollLimits): Promise<T | undefined> {
  const giveUpAt = performance.now() + limits.seconds * 1000
  for (;;) {
    const answer = await attempt()
    if (answer !== undefined || performance.now() + limits.pauseMs > giveUpAt) return answer
    await sleep(limits.pauseMs)
  }
}
