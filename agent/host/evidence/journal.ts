// Entries of systemd's journal, as `journalctl --output=json` prints them: one object a line, fields that are no text left out.
import type { Run } from '../../../shared/command.ts'
import { isoTime } from './sanitize.ts'

export type JournalEntry = {
  /** ISO 8601. */
  readonly at: string
  readonly fields: Readonly<Record<string, string>>
}

export type JournalQuery = {
  /** `['SYSLOG_IDENTIFIER=sudo']`; `+` between alternatives. Matches are indexed: the journal's size hardly matters. */
  readonly matches: readonly string[]
  /** Milliseconds since the epoch. */
  readonly from?: number
  readonly to?: number
  /** The last ones, in the order of time. */
  readonly most: number
  readonly deadlineSeconds: number
}

/** Undefined where there is no journal, or it did not answer in time. */
export async function journalEntries(query: Run, asked: JournalQuery): Promise<readonly JournalEntry[] | undefined> {
  const { matches, from, to, most, deadlineSeconds } = asked
  const range = [
    ...(from === undefined ? [] : [`--since=@${Math.floor(from / 1000)}`]),
    ...(to === undefined ? [] : [`--until=@${Math.ceil(to / 1000)}`]),
  ]
  const fields = `--output-fields=${journalFields.join(',')}`
  const args = ['journalctl', '--quiet', '--no-pager', '--output=json', fields, `--lines=${most}`, ...range, ...matches]
  const { code, stdout } = await query({ args, deadlineSeconds, outputLimitBytes: 1 << 20 })
  return code === 0 ? parseJournal(stdout) : undefined
}

export function parseJournal(stdout: string): readonly JournalEntry[] {
  return stdout.split('\n').flatMap((line) => {
    const entry = parsed(line)
    const at = isoTime(Number(entry?.['__REALTIME_TIMESTAMP']) / 1000)
    return entry === undefined || at === undefined ? [] : [{ at, fields: entry }]
  })
}

const journalFields = ['MESSAGE', 'MESSAGE_ID', 'SESSION_ID', 'USER_ID', 'LEADER', 'SYSLOG_IDENTIFIER', '_PID', '_COMM']

function parsed(line: string): Readonly<Record<string, string>> | undefined {
  try {
    const entry: unknown = JSON.parse(line)
    if (typeof entry !== 'object' || entry === null) return undefined
    return Object.fromEntries(Object.entries(entry).filter(([, value]) => typeof value === 'string'))
  } catch {
    // The first line of output that was cut.
    return undefined
  }
}
