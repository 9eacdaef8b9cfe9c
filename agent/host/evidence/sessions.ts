// Login sessions, open and past: from logind, from wtmp (`last`), and from logind's messages in the journal. Any of
// them may be missing.

import type { Run } from '../../../shared/command.ts'
import { compact } from '../../../shared/compact.ts'
import type { Session } from '../../../shared/evidence.ts'
import { absolutePathSchema } from '../../../shared/names.ts'
import type { HostReader } from '../host.ts'
import { type JournalEntry, journalEntries } from './journal.ts'
import { defined, isoTime, keyValues, sanitized, systemdTime } from './sanitize.ts'

export type Logins = {
  readonly sessions: readonly Session[]
  /** ISO 8601: an empty list is conclusive only after this time. Absent: never. */
  readonly knownSince?: string
}

export type LoginSources = Pick<HostReader, 'query' | 'files'>

export type LoginsAsked = {
  /** Of the changes, ms since the epoch: sessions outside need not be looked into. */
  readonly from: number
  readonly to: number
  readonly now: number
  readonly deadlineSeconds: number
}

/** Sessions that may have been open between `from` and `to`. Undefined when the host has no source of logins. */
export async function loginsOf({ query, files }: LoginSources, asked: LoginsAsked): Promise<Logins | undefined> {
  const [open, recorded, logged, isTracked] = await Promise.all([
    openSessions(query, asked.deadlineSeconds),
    recordedSessions(query, asked.deadlineSeconds),
    toldSessions(query, asked),
    everyLoginIsTracked(files),
  ])
  if (open === undefined && recorded === undefined && logged === undefined) return undefined
  const sessions = merged([...(open ?? []), ...(logged ?? [])], recorded?.sessions ?? [])
  if (!isTracked) return { sessions }
  const day = new Date(asked.now - 24 * 3600 * 1000).toISOString()
  return { sessions, knownSince: recorded?.begins ?? day }
}

/** Half a second on either side: wtmp and logind count whole seconds. */
export function wasOpenAt({ since, until }: Session, at: number): boolean {
  const isBegun = since === undefined || Date.parse(since) <= at + 500
  return isBegun && (until === undefined || Date.parse(until) >= at - 1500)
}

/**
 * wtmp has only logins with a terminal: without logind's PAM module (Debian: libpam-systemd), other logins are recorded
 * nowhere.
 */
async function everyLoginIsTracked(files: LoginSources['files']): Promise<boolean> {
  for (const name of ['common-session', 'system-auth', 'system-login', 'postlogin', 'sshd']) {
    const bytes = await files.read(absolutePathSchema.parse(`/etc/pam.d/${name}`), 256 * 1024)
    if (bytes !== undefined && isTracking(Buffer.from(bytes).toString('utf8'))) return true
  }
  return false
}

export function isTracking(pam: string): boolean {
  return /^-?session\s.*\bpam_(?:systemd|elogind)\.so/m.test(pam)
}

async function openSessions(query: Run, deadlineSeconds: number): Promise<readonly Session[] | undefined> {
  const environment = { TZ: 'UTC' }
  const listed = await query({ args: ['loginctl', 'list-sessions', '--no-legend'], environment, deadlineSeconds })
  if (listed.code !== 0) return undefined
  const ids = parseSessionIds(listed.stdout).slice(0, 200)
  if (ids.length === 0) return []
  const properties = ['Id', 'Name', 'Timestamp', 'TTY', 'RemoteHost', 'Service', 'Class', 'State']
  const args = ['loginctl', 'show-session', ...properties.map((name) => `--property=${name}`), '--', ...ids]
  const shown = await query({ args, environment, deadlineSeconds })
  return parseShownSessions(shown.stdout)
}

/** The first column; there is JSON too, by one option before systemd 257 and by another since. */
export function parseSessionIds(stdout: string): readonly string[] {
  return stdout.split('\n').flatMap((line) => /^\s*(\w+)\s+\d+\s/.exec(line)?.[1] ?? [])
}

/** Blocks of `loginctl show-session`; greeters, user managers and cron are no sessions of people. */
export function parseShownSessions(stdout: string): readonly Session[] {
  return stdout.split(/\n\n+/).flatMap((block) => {
    const shown = keyValues(block)
    const user = sanitized(shown['Name'])
    if (user === undefined || !shown['Class']?.startsWith('user')) return []
    return defined({
      user,
      from: sanitized(shown['RemoteHost']),
      tty: sanitized(shown['TTY']),
      service: serviceName(shown['Service']),
      since: systemdTime(shown['Timestamp']),
    })
  })
}

/** util-linux's and wtmpdb's `last` print alike. */
async function recordedSessions(query: Run, deadlineSeconds: number) {
  const args = ['last', '--fullnames', '--time-format', 'iso', '--limit', '500']
  const { code, stdout } = await query({ args, environment: { TZ: 'UTC' }, deadlineSeconds })
  return code === 0 ? parseLast(stdout) : undefined
}

export function parseLast(stdout: string): { readonly sessions: readonly Session[]; readonly begins?: string } {
  const begins = time(/^\S+ begins (\S+)/m.exec(stdout)?.[1])
  return { sessions: stdout.split('\n').flatMap(lastLine), ...compact({ begins }) }
}

/** `anna     pts/0        10.77.0.1        2026-11-26T12:17:27+00:00 - 2026-11-26T12:21:31+00:00  (00:04)` */
function lastLine(line: string): readonly Session[] {
  const match = /^(\S+)\s+(\S+)\s+(?:(\S+)\s+)?(\d{4}-\d\d-\d\dT\S+)\s+(?:- (\S+)|(still logged in)|(gone))?/.exec(line)
  const [, user, tty, from, since, until, isOpen] = match ?? []
  if (user === undefined || tty === 'system' || user === 'reboot') return []
  // `- crash` and `- down` end at a time that only the boot's line has; `gone`: the time is unknown.
  const end = time(until)
  if (end === undefined && isOpen === undefined) return []
  return [
    defined({
      user: sanitized(user) ?? user,
      from: sanitized(from),
      tty: sanitized(tty),
      since: time(since),
      until: end,
    }),
  ]
}

const sessionBegan = '8d45620c1a4348dbb17410da57c60c66'
const sessionEnded = '3354939424b4456d9802ca8333ed424a'

/** Only of sessions that ended: logind itself knows the others. */
async function toldSessions(query: Run, { from, to, deadlineSeconds }: LoginsAsked) {
  // Of the two messages only those of logind itself: anybody can write the others.
  const own = ['_UID=0', '_SYSTEMD_UNIT=systemd-logind.service']
  const matches = [`MESSAGE_ID=${sessionBegan}`, `MESSAGE_ID=${sessionEnded}`, ...own]
  const entries = await journalEntries(query, { matches, most: 400, deadlineSeconds })
  if (entries === undefined) return undefined
  const ended = endedSessions(entries).filter(
    (each) => Date.parse(each.until) >= from - 1500 && Date.parse(each.since) <= to,
  )
  const leaders = [...new Set(ended.map(({ leader }) => leader))].slice(-50)
  if (leaders.length === 0) return []
  const of = [...leaders.map((leader) => `_PID=${leader}`), '_UID=0']
  const said = await journalEntries(query, { matches: of, most: 500, from: from - weekMs, deadlineSeconds })
  return ended.flatMap((session) => interactiveSession(session, said ?? []))
}

const weekMs = 7 * 24 * 3600 * 1000

type Ended = { readonly user: string; readonly leader: string; readonly since: string; readonly until: string }

export function endedSessions(entries: readonly JournalEntry[]): readonly Ended[] {
  const begun = new Map<string, Omit<Ended, 'until'>>()
  const ended: Ended[] = []
  for (const { at, fields } of entries) {
    const id = fields['SESSION_ID'] ?? ''
    const began = begun.get(id)
    if (fields['MESSAGE_ID'] === sessionBegan)
      begun.set(id, { user: sanitized(fields['USER_ID']) ?? '?', leader: pid(fields['LEADER']), since: at })
    else if (began !== undefined) {
      begun.delete(id)
      ended.push({ ...began, until: at })
    }
  }
  return ended.filter(({ leader }) => leader !== '')
}

/** The log of the session's leader says where it came from, and whether it was a person's: cron opens sessions too. */
export function interactiveSession(
  { user, leader, since, until }: Ended,
  said: readonly JournalEntry[],
): readonly Session[] {
  const distance = (at: string) => Math.abs(Date.parse(at) - Date.parse(since))
  // Numbers of processes are used again.
  const own = said.filter(({ at, fields }) => fields['_PID'] === leader && distance(at) < 60_000)
  const texts = own.map(({ fields }) => fields['MESSAGE'] ?? '')
  const service = texts.flatMap((text) => /^pam_unix\(([^:)]+):session\): session opened/.exec(text)?.[1] ?? [])[0]
  if (service === undefined || /^(?:cron|crond|atd|systemd-user)$/.test(service)) return []
  const from = texts.flatMap((text) => /^Accepted \S+ for \S+ from (\S+) port /.exec(text)?.[1] ?? [])[0]
  return [defined({ user, from: sanitized(from), service: serviceName(service), since, until })]
}

/** Most logins that wtmp has, logind has too: what both know is put together, logind having the last word. */
export function merged(ofLogind: readonly Session[], ofWtmp: readonly Session[]): readonly Session[] {
  const all = [...ofLogind]
  for (const session of ofWtmp) {
    const known = all.findIndex((other) => isSame(other, session))
    if (known < 0) all.push(session)
    else all[known] = { ...session, ...all[known], user: session.user }
  }
  return all.toSorted((one, other) => (one.since ?? '').localeCompare(other.since ?? ''))
}

/** Two logins of one user within a second are distinguished by their ends, if these differ. */
function isSame(one: Session, other: Session): boolean {
  if (one.user !== other.user || one.since === undefined) return false
  return isCompatible(one.tty, other.tty) && isAbout(one.since, other.since) && isAbout(one.until, other.until)
}

function isCompatible(one: string | undefined, other: string | undefined): boolean {
  return one === undefined || other === undefined || one === other
}

function isAbout(one: string | undefined, other: string | undefined): boolean {
  if (one === undefined || other === undefined) return one === other
  return Math.abs(Date.parse(one) - Date.parse(other)) < 3000
}

function serviceName(service: string | undefined): string | undefined {
  return service === 'sshd' ? 'ssh' : sanitized(service)
}

function pid(text: string | undefined): string {
  return /^\d{1,10}$/.test(text ?? '') ? (text ?? '') : ''
}

function time(text: string | undefined): string | undefined {
  return text === undefined ? undefined : isoTime(Date.parse(text))
}
