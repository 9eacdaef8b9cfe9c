// What was run by sudo around a time: from the journal, or from auth.log where there is none.
import type { SudoCommand } from '../../../shared/evidence.ts'
import type { Run } from '../run.ts'
import { journalEntries } from './journal.ts'
import { defined, isoTime, tidy } from './tidy.ts'

export type SudoAsked = { readonly from: number; readonly to: number; readonly deadlineSeconds: number }

/** Between `from` and `to`, the last 500. */
export async function sudoCommands(
  query: Run,
  { from, to, deadlineSeconds }: SudoAsked,
): Promise<readonly SudoCommand[]> {
  const asked = { matches: ['SYSLOG_IDENTIFIER=sudo', '_COMM=sudo'], most: 500, from, to, deadlineSeconds }
  const entries = await journalEntries(query, asked)
  if (entries !== undefined) return entries.flatMap(({ at, fields }) => sudoMessage(at, fields['MESSAGE'] ?? ''))
  const tail = await query({
    args: ['tail', '-c', '262144', '/var/log/auth.log'],
    deadlineSeconds,
    outputLimitBytes: 262_144,
  })
  return parseAuthLog(tail.stdout, new Date(to)).filter(({ at }) => Date.parse(at) >= from && Date.parse(at) <= to)
}

/** `    anna : TTY=pts/0 ; PWD=/home/anna ; USER=root ; COMMAND=/usr/bin/vi /etc/motd` */
export function sudoMessage(at: string, message: string): readonly SudoCommand[] {
  const match = /^\s*(\S+) : (?:.* ; )?COMMAND=(.*)$/s.exec(message)
  const [, user, ran] = match ?? []
  const command = tidy(ran, 500)
  if (user === undefined || command === undefined) return []
  const before = message.slice(0, message.indexOf('COMMAND='))
  const field = (name: string) => tidy(new RegExp(`(?:: |; )${name}=(.*?) ;`).exec(before)?.[1])
  return [defined({ at, user: user.slice(0, 200), as: field('USER'), tty: field('TTY'), command })]
}

/** Lines with an ISO time, or with the old one that has no year: the last such day before `now`. */
export function parseAuthLog(text: string, now: Date): readonly SudoCommand[] {
  return text.split('\n').flatMap((line) => {
    const match = /^(\d{4}-\S+|\w{3} [ \d]\d \d\d:\d\d:\d\d) \S+ sudo(?:\[\d+\])?: (.*)$/.exec(line)
    const at = logTime(match?.[1] ?? '', now)
    return at === undefined ? [] : sudoMessage(at, match?.[2] ?? '')
  })
}

function logTime(text: string, now: Date): string | undefined {
  if (/^\d/.test(text)) return isoTime(Date.parse(text))
  const thisYear = Date.parse(`${text} ${now.getFullYear()}`)
  const isAhead = thisYear > now.getTime() + 24 * 3600 * 1000
  return isoTime(isAhead ? Date.parse(`${text} ${now.getFullYear() - 1}`) : thisYear)
}
