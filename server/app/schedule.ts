// Recurring work: never runs twice at the same time; an error is logged and the next run still happens; closing waits a limited
// time for running work.
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import { guarded } from '../../shared/platform/guarded.ts'

export type Schedule = {
  every(milliseconds: number, name: string, work: () => Promise<void>): void
  now(name: string, work: () => Promise<void>): void
  close(): Promise<void>
}

/** A hanging fetch must not keep the server from stopping. */
const closesWithinMs = 5000

export function createSchedule(log: Logger): Schedule {
  const timers: NodeJS.Timeout[] = []
  const running = new Set<Promise<void>>()
  let closed = false
  const run = (name: string, work: () => Promise<void>): Promise<void> => {
    const turn = work()
      .catch((thrown: unknown) => log.error({ err: thrown, work: name }, 'recurring work failed; retrying'))
      .finally(() => running.delete(turn))
    running.add(turn)
    return turn
  }
  return {
    every(milliseconds, name, work) {
      let busy = false
      const turn = async () => {
        if (busy || closed) return
        busy = true
        await run(name, work)
        busy = false
      }
      const failed = (thrown: unknown) => log.error({ err: thrown, work: name }, 'recurring work could not be started')
      timers.push(setInterval(guarded(turn, failed), milliseconds))
    },
    now(name, work) {
      if (!closed) void run(name, work)
    },
    async close() {
      closed = true
      for (const timer of timers) clearInterval(timer)
      await Promise.race([Promise.all(running), delay(closesWithinMs, undefined, { ref: false })])
    },
  }
}
