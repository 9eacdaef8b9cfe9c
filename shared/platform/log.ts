// The log of agent and server: JSON lines on standard output, written at once, since what a crash said last matters most.
import { type Logger, pino } from 'pino'
import { withoutUserInformation } from '../address.ts'
import { visibleJson } from '../visible-text.ts'
import { ignored } from './guarded.ts'
import { onTrace } from './trace.ts'

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

/** For a drop-in of the unit, where the command line is not at hand. */
export const logLevelVariable = 'PLUMB_LOG_LEVEL'

export type LogOptions = {
  readonly level: LogLevel
  /** Fields of every line: undefined gives those of pino. */
  readonly base?: null
  /** Of the fields of debug lines, which have words of other programs: what may be a secret. */
  readonly mask?: (text: string) => string
}

/** A full disk under the log ends nothing. */
export function openLog({ level, base, mask = (text) => text }: LogOptions): Logger {
  const lines = pino.destination({ sync: true, maxLength: 1024 * 1024 })
  lines.on('error', ignored)
  const write = (line: string) => void lines.write(visibleJson(withoutUserInformation(line)))
  const log = pino({ level, ...(base === undefined ? {} : { base }) }, { write })
  if (log.isLevelEnabled('debug')) onTrace(({ message, fields }) => log.debug(masked(fields, mask), message))
  return log
}

function masked<Value>(value: Value, mask: (text: string) => string): Value
function masked(value: unknown, mask: (text: string) => string): unknown {
  if (typeof value === 'string') return mask(value)
  if (Array.isArray(value)) return value.map((one) => masked(one, mask))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, masked(one, mask)]))
}
