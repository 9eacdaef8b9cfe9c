// Collects the activity around changes: sessions, sudo, package manager, audit log. Each source is read once for all changes.
// A source that fails or exceeds its deadline contributes nothing, so that a check never fails or waits because of it.
import { setTimeout as sleep } from 'node:timers/promises'
import type { OwnApply, SudoCommand } from '../../shared/evidence.ts'
import type { ResourceId } from '../../shared/names.ts'
import { auditedPath, auditRecords, isAuditing } from '../host/evidence/audit.ts'
import type { RawAudit } from '../host/evidence/audit-records.ts'
import type { LoggedAction, LoggedRun, Window } from '../host/evidence/logged.ts'
import { packageLogOf } from '../host/evidence/package-log.ts'
import { type Logins, loginsOf } from '../host/evidence/sessions.ts'
import { sudoCommands } from '../host/evidence/sudo.ts'
import type { HostReader } from '../host/host.ts'
import { isNear, minuteMs, wasRunning } from './time-window.ts'

/** A drifted resource that had no finding before. */
export type NewFinding = {
  readonly id: ResourceId
  /** Path of a file, symlink or directory. */
  readonly path?: string
  /** Name of a package. */
  readonly package?: string
  /** Ms since the epoch: time of the change, or now when it is unknown. */
  readonly at: number
}

export type Surroundings = {
  readonly logins: Logins | undefined
  readonly sudo: readonly SudoCommand[]
  readonly packageActions: readonly LoggedAction[]
  readonly packageRuns: readonly LoggedRun[]
  /** By path. */
  readonly owners: ReadonlyMap<string, readonly string[]>
  readonly audit: ReadonlyMap<string, readonly RawAudit[]>
  /** By uid, of those in `audit`. */
  readonly userNames: ReadonlyMap<number, string>
  readonly applies: readonly OwnApply[]
}

export type Gathering = {
  readonly host: HostReader
  readonly now: number
  readonly applies: readonly OwnApply[]
}

export async function surroundingsOf(
  found: readonly NewFinding[],
  { host, now, applies }: Gathering,
): Promise<Surroundings> {
  // In a sandbox these sources would describe this machine.
  if (!host.capabilities.commands || found.length === 0)
    return { logins: undefined, sudo: [], ...noPackages, ...notAudited, applies }
  const times = found.map(({ at }) => at)
  const first = times.reduce((one, other) => Math.min(one, other))
  const last = times.reduce((one, other) => Math.max(one, other))
  const window = { from: first - minuteMs, to: last + minuteMs }
  const { query } = host
  const [logins, sudo, packages, audit] = await Promise.all([
    inTime(() => loginsOf(host, { from: first, to: last, now, deadlineSeconds }), undefined),
    inTime(() => sudoCommands(query, { ...window, deadlineSeconds }), []),
    inTime(() => packagesOf(found, window, host), noPackages),
    inTime(() => auditOf(found, { host, now, applies }), notAudited),
  ])
  return { logins, sudo, ...packages, ...audit, applies }
}

/** Deadline of one source in milliseconds. */
export const sourceDeadlineMs = 2000

/** Returns `fallback` when the source throws or exceeds the deadline. */
export async function inTime<T>(read: () => Promise<T>, fallback: T, deadlineMs = sourceDeadlineMs): Promise<T> {
  const timer = new AbortController()
  const overdue = sleep(deadlineMs, fallback, timer).catch(() => fallback)
  try {
    return await Promise.race([read(), overdue])
  } catch {
    return fallback
  } finally {
    timer.abort()
  }
}

const deadlineSeconds = sourceDeadlineMs / 1000

type Packages = Pick<Surroundings, 'packageActions' | 'packageRuns' | 'owners'>
const noPackages: Packages = { packageActions: [], packageRuns: [], owners: new Map() }

/** Queries owners of paths only when the package manager was active at that time. */
async function packagesOf(
  found: readonly NewFinding[],
  window: Window,
  { files, query }: HostReader,
): Promise<Packages> {
  const log = await packageLogOf(query)
  const packageActions = (await log?.actions(files, window)) ?? []
  const paths = found.flatMap(({ path, at }) =>
    path !== undefined && packageActions.some((each) => isNear(each.at, at)) ? [path] : [],
  )
  if (log === undefined || packageActions.length === 0) return noPackages
  const [owners, packageRuns] = await Promise.all([
    log.owners(query, { paths: paths.slice(0, 500), deadlineSeconds }),
    log.runs(files, window),
  ])
  return { packageActions, owners, packageRuns }
}

/** Upper bound, because each path is a search through auditd's logs. */
const auditedPaths = 10

type Audited = Pick<Surroundings, 'audit' | 'userNames'>
const notAudited: Audited = { audit: new Map(), userNames: new Map() }

async function auditOf(found: readonly NewFinding[], { host, applies }: Gathering): Promise<Audited> {
  if (!isAuditing()) return notAudited
  const { query, files } = host
  // Writes of the agent's own applies are not drift.
  const isOwn = ({ executable, at }: RawAudit) =>
    executable === process.execPath && applies.some((apply) => wasRunning(apply, Date.parse(at)))
  const asked = found.flatMap(({ path, at }) => (path === undefined ? [] : [{ path, at }])).slice(0, auditedPaths)
  const records = await Promise.all(
    asked.map(async ({ path, at }) => {
      const window = { from: at - minuteMs, to: at + minuteMs }
      const audited = auditedPath(path, files)
      const found = await auditRecords(query, { audited, ...window, deadlineSeconds })
      return [path, found.filter((record) => !isOwn(record))] as const
    }),
  )
  const uids = [...new Set(records.flatMap(([, of]) => of.flatMap(({ loginUid }) => loginUid ?? [])))]
  const names = await Promise.all(uids.map(async (uid) => [uid, await files.accounts.userName(uid)] as const))
  const userNames = new Map(names.flatMap(([uid, name]) => (name === undefined ? [] : [[uid, name] as const])))
  return { audit: new Map(records), userNames }
}
