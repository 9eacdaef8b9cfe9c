// In: what changed and when. Out: everything the host can tell of what was around it, each source for all changes at once.
// A source that fails or takes longer than its time tells nothing; a look at the host never fails by it, nor waits for it.
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

/** A drifted resource that was not known as such before. */
export type NewFinding = {
  readonly id: ResourceId
  /** Of a file, symlink or directory. */
  readonly path?: string
  /** Of a package. */
  readonly package?: string
  /** Ms since the epoch: of the change, or of now where that is not known. */
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
  // In a sandbox these would be this machine's.
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

/** Milliseconds after which a source is not waited for any longer. */
export const sourceDeadlineMs = 2000

/** `fallback` when the source throws, or does not tell in time. */
export async function inTime<T>(tell: () => Promise<T>, fallback: T, deadlineMs = sourceDeadlineMs): Promise<T> {
  const timer = new AbortController()
  const overdue = sleep(deadlineMs, fallback, timer).catch(() => fallback)
  try {
    return await Promise.race([tell(), overdue])
  } catch {
    return fallback
  } finally {
    timer.abort()
  }
}

const deadlineSeconds = sourceDeadlineMs / 1000

type Packages = Pick<Surroundings, 'packageActions' | 'packageRuns' | 'owners'>
const noPackages: Packages = { packageActions: [], packageRuns: [], owners: new Map() }

/** Who owns a path is only asked when the package manager was at work at that time. */
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

/** Each path is a search through auditd's logs: the first ten. */
const auditedPaths = 10

type Audited = Pick<Surroundings, 'audit' | 'userNames'>
const notAudited: Audited = { audit: new Map(), userNames: new Map() }

async function auditOf(found: readonly NewFinding[], { host, applies }: Gathering): Promise<Audited> {
  if (!isAuditing()) return notAudited
  const { query, files } = host
  // What an apply of ours wrote is no drift.
  const isOwn = ({ executable, at }: RawAudit) =>
    executable === process.execPath && applies.some((apply) => wasRunning(apply, Date.parse(at)))
  const asked = found.flatMap(({ path, at }) => (path === undefined ? [] : [{ path, at }])).slice(0, auditedPaths)
  const records = await Promise.all(
    asked.map(async ({ path, at }) => {
      const window = { from: at - minuteMs, to: at + minuteMs }
      const audited = auditedPath(path, files)
      const told = await auditRecords(query, { audited, ...window, deadlineSeconds })
      return [path, told.filter((record) => !isOwn(record))] as const
    }),
  )
  const uids = [...new Set(records.flatMap(([, of]) => of.flatMap(({ loginUid }) => loginUid ?? [])))]
  const names = await Promise.all(uids.map(async (uid) => [uid, await files.accounts.userName(uid)] as const))
  const userNames = new Map(names.flatMap(([uid, name]) => (name === undefined ? [] : [[uid, name] as const])))
  return { audit: new Map(records), userNames }
}
