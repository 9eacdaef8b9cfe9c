// Waiting for something that announces itself in no other way than by being so.
import { setTimeout as pause } from 'node:timers/promises'

/** For a machine that does much else: what is waited for comes within seconds or not at all, so the limit costs nothing. */
export const generousMs = 300_000

/** Asks until the answer is not undefined; after the deadline, rejects saying what was waited for and what was last seen. */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T | undefined> | T | undefined,
  { withinMs = generousMs, everyMs = 100 }: { readonly withinMs?: number; readonly everyMs?: number } = {},
): Promise<T> {
  const deadline = performance.now() + withinMs
  let lastFailure: unknown
  for (;;) {
    try {
      const answer = await ask()
      if (answer !== undefined) return answer
    } catch (error) {
      if (error instanceof GivenUp) throw error
      lastFailure = error
    }
    if (performance.now() > deadline) {
      const seen = lastFailure instanceof Error ? ` Last: ${lastFailure.message}` : ''
      throw new Error(`${what}: not so after ${withinMs / 1000} s.${seen}`, { cause: lastFailure })
    }
    await pause(everyMs)
  }
}

/** Thrown by a question whose answer can no longer come. */
export class GivenUp extends Error {
  override readonly name = 'GivenUp'
}
