// The log of agent and server: a line of JSON at a time on standard output, with no control characters in it.
import { destination, type Level, type Logger, pino } from 'pino'
import { visibleJson } from '../visible-text.ts'
import { ignored } from './guarded.ts'

export type LogOptions = {
  /** Default `info`. */
  readonly level?: Level | 'silent'
  /** With the process id and the name of the machine, where no journal adds them. */
  readonly namesProcess: boolean
  /** Takes out of a line what must not be logged. */
  readonly mask?: (line: string) => string
}

/** Lines are held for a reader that is slow up to so much, then left out. */
const heldBytes = 1024 * 1024

/**
 * Written at once: a worker would not survive bundling, and the last line before a crash matters most. A log that cannot be written, as on
 * a full disk, ends nothing.
 */
export function openLog({ level = 'info', namesProcess, mask = (line) => line }: LogOptions): Logger {
  const lines = destination({ sync: true, maxLength: heldBytes })
  lines.on('error', ignored)
  const base = namesProcess ? {} : { base: null }
  return pino({ level, ...base }, { write: (line: string) => void lines.write(visibleJson(mask(line))) })
}
