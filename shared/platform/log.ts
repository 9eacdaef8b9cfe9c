// The log of agent and server: a line of JSON at a time on standard output, with no control characters in it.
import { destination, type Logger, pino } from 'pino'
import { visibleJson } from '../visible-text.ts'
import { ignored } from './guarded.ts'
import { onTrace, withShortArguments } from './trace.ts'

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

/** For a drop-in of the unit, where the command line is not at hand. */
export const logLevelVariable = 'PLUMB_LOG_LEVEL'

export type LogOptions = {
  readonly level: LogLevel
  /** With the process id and the name of the machine, where no journal adds them. */
  readonly namesProcess: boolean
  /** Takes out of a line what must not be logged. */
  readonly mask: (line: string) => string
  /** The same of each text in the fields of a trace, which has words of other programs. */
  readonly maskTrace?: (text: string) => string
}

/** Lines are held for a reader that is slow up to so much, then left out. */
const heldBytes = 1024 * 1024

/**
 * Written at once: a worker would not survive bundling, and the last line before a crash matters most. A log that cannot be written, as on
 * a full disk, ends nothing.
 */
export function openLog({ level, namesProcess, mask, maskTrace = (text) => text }: LogOptions): Logger {
  const lines = destination({ sync: true, maxLength: heldBytes })
  lines.on('error', ignored)
  const base = namesProcess ? {} : { base: null }
  const log = pino({ level, ...base }, { write: (line: string) => void lines.write(visibleJson(mask(line))) })
  if (log.isLevelEnabled('debug'))
    onTrace(({ message, fields }) => log.debug(withShortArguments(masked(fields, maskTrace)), message))
  return log
}

function masked<Value>(value: Value, mask: (text: string) => string): Value
function masked(value: unknown, mask: (text: string) => string): unknown {
  if (typeof value === 'string') return mask(value)
  if (Array.isArray(value)) return value.map((one) => masked(one, mask))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, masked(one, mask)]))
}
