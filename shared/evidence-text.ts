// Evidence in words, the same for `plumb check`, pages and alerts: what is known of the time of a change, with no verdict.
import {
  type AuditRecord,
  changeTimeOf,
  type Evidence,
  type PackageAction,
  type Session,
  type SudoCommand,
} from './evidence.ts'
import { absoluteTime } from './time-text.js'

/** One line: `changed 2026-11-26 12:17:27 UTC; logged in then: anna from 10.0.0.5 (ssh, since 2026-11-26 12:10:02 UTC)`. */
export function evidenceLine(evidence: Evidence): string | undefined {
  const changed = changedText(evidence)
  const parts = [...(changed === undefined ? [] : [changed]), ...surroundingTexts(evidence)]
  return parts.length === 0 ? undefined : parts.join('; ').slice(0, 1500)
}

/** Who and what was there, one thing each; without the times and what the inode says. */
export function surroundingTexts(evidence: Evidence): readonly string[] {
  const { sessions, sudo = [], audit = [], packageAction, ownApply } = evidence
  const then = changeTimeOf(evidence) === undefined ? 'when it was noticed' : 'then'
  return [
    ...(sessions === undefined ? [] : [sessionsText(sessions, then)]),
    ...(sudo.length === 0 ? [] : [`sudo within a minute: ${listed(sudo.map(sudoText))}`]),
    ...(audit.length === 0 ? [] : [`audit: ${listed(audit.map(auditText))}`]),
    ...(packageAction === undefined ? [] : [packageText(packageAction)]),
    ...(ownApply === undefined
      ? []
      : [`an apply of plumb was running then (revision ${ownApply.revision.slice(0, 7)})`]),
  ].map(onOneLine)
}

function changedText(evidence: Evidence): string | undefined {
  const { changedAt, stateChangedAt, directoryChangedAt, noticedAt } = evidence
  if (changedAt !== undefined) return `changed ${absoluteTime(changedAt)}`
  if (stateChangedAt !== undefined) return `in this state since ${absoluteTime(stateChangedAt)}`
  if (directoryChangedAt !== undefined) return `its directory changed ${absoluteTime(directoryChangedAt)}`
  return noticedAt === undefined ? undefined : `noticed ${absoluteTime(noticedAt)}`
}

function sessionsText(sessions: readonly Session[], then: string): string {
  if (sessions.length === 0) return `nobody was logged in ${then}`
  return `logged in ${then}: ${listed(sessions.map(sessionText))}`
}

function sessionText({ user, from, tty, service, since, until }: Session): string {
  const details = [
    ...(service === undefined ? [] : [service]),
    ...(tty === undefined ? [] : [tty]),
    ...(since === undefined ? [] : [`since ${absoluteTime(since)}`]),
    ...(until === undefined ? [] : [`until ${absoluteTime(until)}`]),
  ]
  return `${user}${from === undefined ? '' : ` from ${from}`}${details.length === 0 ? '' : ` (${details.join(', ')})`}`
}

function sudoText({ user, as, command }: SudoCommand): string {
  return `${user}${as === undefined ? '' : ` as ${as}`}: ${command}`
}

function auditText({ at, user, executable, command, pid, systemCall }: AuditRecord): string {
  const program = executable ?? command ?? 'a program'
  const details = [...(pid === undefined ? [] : [`pid ${pid}`]), ...(systemCall === undefined ? [] : [systemCall])]
  return `${user === undefined ? '' : `${user} by `}${program} (${[...details, absoluteTime(at)].join(', ')})`
}

function packageText(done: PackageAction): string {
  const { package: name, action, from, to, at, commandLine, requestedBy } = done
  const versions = [...(from === undefined ? [] : [`from ${from}`]), ...(to === undefined ? [] : [`to ${to}`])].join(
    ' ',
  )
  const by = commandLine === undefined ? '' : `, by "${commandLine}"`
  const asked = requestedBy === undefined ? '' : `, asked for by ${requestedBy}`
  return `package manager at that time: ${action} ${name}${versions === '' ? '' : ` ${versions}`} (${absoluteTime(at)}${by}${asked})`
}

const shown = 5

function listed(texts: readonly string[]): string {
  const rest = texts.length - shown
  return [...texts.slice(0, shown), ...(rest > 0 ? [`and ${rest} more`] : [])].join('; ')
}

/** Whatever an agent sent: nothing in it may begin a line, hide or reorder text. */
function onOneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ')
}
