// What was run by sudo around a time, from the journal alone: anybody can write a line of sudo's into auth.log, and into the journal
// under sudo's name, but not under the path of its program.

import type { Run } from '../../../shared/command.ts'
import type { SudoCommand } from '../../../shared/evidence.ts'
import { journalEntries } from './journal.ts'
import { defined, sanitized } from './sanitize.ts'

export type SudoAsked = { readonly from: number; readonly to: number; readonly deadlineSeconds: number }

/** Between `from` and `to`, the last 500. */
export async function sudoCommands(
  query: Run,
  { from, to, deadlineSeconds }: SudoAsked,
): Promise<readonly SudoCommand[]> {
  const matches = sudoPrograms.map((program) => `_EXE=${program}`)
  const entries = await journalEntries(query, { matches, most: 500, from, to, deadlineSeconds })
  return (entries ?? []).flatMap(({ at, fields }) => sudoMessage(at, fields['MESSAGE'] ?? ''))
}

/** journald notes the path itself. Debian and Fedora have the first; sudo-rs and Ubuntu the others, behind /usr/bin/sudo as a link. */
const sudoPrograms = [
  '/usr/bin/sudo',
  '/bin/sudo',
  '/usr/local/bin/sudo',
  '/usr/bin/sudo.ws',
  '/usr/bin/sudo-rs',
  '/usr/lib/cargo/bin/sudo',
]

/** `    anna : TTY=pts/0 ; PWD=/home/anna ; USER=root ; COMMAND=/usr/bin/vi /etc/motd`; with words before the fields it was refused. */
export function sudoMessage(at: string, message: string): readonly SudoCommand[] {
  const match = /^\s*(\S+) : (?=[A-Z]+=)(?:.*? ; )?COMMAND=(.*)$/s.exec(message)
  const [, user, ran] = match ?? []
  const command = sanitized(ran, 500)
  if (user === undefined || command === undefined) return []
  const before = message.slice(0, message.indexOf('COMMAND='))
  const field = (name: string) => sanitized(new RegExp(`(?:: |; )${name}=(.*?) ;`).exec(before)?.[1])
  return [defined({ at, user: user.slice(0, 200), as: field('USER'), tty: field('TTY'), command })]
}
