// Correlates one change with the activity around it into bounded evidence, with secrets masked. Pure.
import { compact } from '../../shared/compact.ts'
import {
  type AuditRecord,
  auditLimit,
  type Evidence,
  type PackageAction,
  type SudoCommand,
  sessionsLimit,
  sudoLimit,
} from '../../shared/evidence.ts'
import type { RawAudit } from '../host/evidence/audit-records.ts'
import { wasOpenAt } from '../host/evidence/sessions.ts'
import type { Mask } from '../plan/mask.ts'
import { maskedCommand } from './command-mask.ts'
import type { NewFinding, Surroundings } from './surroundings.ts'
import { isNear, wasRunning } from './time-window.ts'

export type CorrelateOptions = {
  /** Ms since the epoch. */
  readonly now: number
  readonly mask: Mask
}

/** Complements the evidence of the resource itself (own-evidence.ts). */
export function correlated(found: NewFinding, around: Surroundings, { now, mask }: CorrelateOptions): Evidence {
  const sessions = sessionsAt(found, around)
  const sudo = around.sudo.filter(({ at }) => isNear(at, found.at)).slice(-sudoLimit)
  const audit = found.path === undefined ? [] : (around.audit.get(found.path) ?? [])
  const packageAction = packageActionOf(found, around, mask)
  const ownApply = around.applies.findLast((apply) => wasRunning(apply, found.at))
  return {
    noticedAt: new Date(now).toISOString(),
    ...(sessions === undefined ? {} : { sessions: [...sessions] }),
    ...(sudo.length === 0 ? {} : { sudo: sudo.map((ran) => masked(ran, mask)) }),
    ...(audit.length === 0 ? {} : { audit: audit.slice(-auditLimit).map((raw) => named(raw, around)) }),
    ...compact({ packageAction, ownApply }),
  }
}

/** Undefined when unknown: no list of sessions goes back that far. */
function sessionsAt({ at }: NewFinding, { logins }: Surroundings): Evidence['sessions'] {
  if (logins === undefined) return undefined
  const open = logins.sessions.filter((session) => wasOpenAt(session, at))
  const isKnown = logins.knownSince !== undefined && at >= Date.parse(logins.knownSince)
  if (open.length === 0 && !isKnown) return undefined
  return open.slice(-sessionsLimit)
}

function masked(ran: SudoCommand, mask: Mask): SudoCommand {
  return { ...ran, command: maskedCommand(ran.command, mask).slice(0, 500) }
}

function named({ loginUid, ...record }: RawAudit, around: Surroundings): AuditRecord {
  return { ...record, ...(loginUid === undefined ? {} : { user: around.userNames.get(loginUid) ?? String(loginUid) }) }
}

/** Prefers actions on files over mere configuration, then the nearest in time, then the last within a second. */
function packageActionOf(found: NewFinding, around: Surroundings, mask: Mask): PackageAction | undefined {
  const names = found.package === undefined ? (around.owners.get(found.path ?? '') ?? []) : [found.package]
  const distance = (at: string) => Math.abs(Date.parse(at) - found.at)
  const rank = (action: string) => (/^(?:configure|trigproc)$/.test(action) ? 1 : 0)
  const [done] = around.packageActions
    .filter((each) => names.includes(each.package) && isNear(each.at, found.at))
    .toReversed()
    .toSorted((one, other) => rank(one.action) - rank(other.action) || distance(one.at) - distance(other.at))
  if (done === undefined) return undefined
  const at = Date.parse(done.at)
  // Both logs have a resolution of one second.
  const run = around.packageRuns.findLast(
    ({ from, to }) => Date.parse(from) <= at + 1000 && (to === undefined || Date.parse(to) >= at - 1000),
  )
  return {
    ...done,
    ...(run?.commandLine === undefined ? {} : { commandLine: maskedCommand(run.commandLine, mask).slice(0, 500) }),
    ...compact({ requestedBy: run?.requestedBy }),
  }
}
