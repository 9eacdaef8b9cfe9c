// Work of a verb that a signal ends with everything it started: its commands are ended, what it made for a time is removed.
import { setTimeout as delay } from 'node:timers/promises'
import type { Command, Run } from '../../shared/command.ts'

export type Interruptible = {
  /** After a signal it starts nothing, and what it was asked for never resolves: the program ends meanwhile. */
  readonly run: Run
  /** A command that removes what was made: run when a signal comes, after the others have ended. */
  atSignal(remove: Command): void
}

/** A program that had the terminal got the signal as well, and may still be writing. */
async function removed(command: Command, run: Run): Promise<void> {
  for (let left = 50; left > 0; left -= 1) {
    if ((await run(command)).code === 0) return
    await delay(100)
  }
}

export const endingSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** The second signal ends the program at once. */
export async function interruptible<T>(run: Run, work: (parts: Interruptible) => Promise<T>): Promise<T> {
  const stop = new AbortController()
  const running = new Set<Promise<unknown>>()
  const removing: Command[] = []
  const never = new Promise<never>(() => {})
  const started: Run = async (command) => {
    if (stop.signal.aborted) return never
    const ended = run({ ...command, stop: command.stop ? AbortSignal.any([command.stop, stop.signal]) : stop.signal })
    running.add(ended)
    const result = await ended
    running.delete(ended)
    return stop.signal.aborted ? never : result
  }
  const end = async (signal: NodeJS.Signals) => {
    release()
    stop.abort()
    await Promise.all(running)
    for (const command of removing) await removed(command, run)
    // Also those that pass it on to a program that has not ended: with one of them this would not be the end.
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  }
  const onSignal = (signal: NodeJS.Signals) => void end(signal)
  const release = () => {
    for (const signal of endingSignals) process.removeListener(signal, onSignal)
  }
  for (const signal of endingSignals) process.once(signal, onSignal)
  try {
    return await work({ run: started, atSignal: (command) => void removing.push(command) })
  } finally {
    release()
  }
}
