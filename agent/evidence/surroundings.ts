// In: what changed and when. Out: everything the host can tell of what was around it, each source for all changes at once.
// A source that fails or takes longer than its time tells nothing; a look at the host never fails by it, nor waits for it.
import { setTimeout as sleep } from 'node:timers/promises'
import type { OwnApply, SudoCommand } from '../../shared/evidence.ts'
import type { ResourceId } from '../../shared/names.ts'
import { auditRecords, isAuditing, type RawAudit } from '../host/evidence/audit.ts'
import { type AptRun, aptRuns, type DpkgAction, dpkgActions, owningPackages } from '../host/evidence/dpkg-log.ts'
import { type Logins, loginsOf } from '../host/evidence/sessions.ts'
import { sudoCommands } from '../host/evidence/sudo.ts'
import type { HostReader } from '../host/host.ts'
import { minuteMs } from './told.ts'

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
  readonly packageActions: readonly DpkgAction[]
  readonly aptRuns: readonly AptRun[]
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
  if (!host.capabilities.commands || found.length === 0) return { ...nothing, applies }
  const times = found.map(({ at }) => at)
  const first = times.reduce((one, other) => Math.min(one, other))
  const last = times.reduce((one, other) => Math.max(one, other))
  const window = { from: first - minuteMs, to: last + minuteMs }
  const { query, files } = host
  const [logins, sudo, packages, audit] = await Promise.all([
    inTime(() => loginsOf(query, { from: first, to: last, now, deadlineSeconds }), nothing.logins),
    inTime(() => sudoCommands(query, { ...window, deadlineSeconds }), nothing.sudo),
    inTime(() => packagesOf(found, window, host), nothing),
    inTime(() => auditOf(found, host), nothing),
  ])
  const { packageActions, aptRuns: runs, owners } = packages
  return {
    logins,
    sudo,
    packageActions,
    aptRuns: runs,
    owners,
    audit: audit.audit,
    userNames: audit.userNames,
    applies,
  }

  async function packagesOf(
    changes: readonly NewFinding[],
    around: { readonly from: number; readonly to: number },
    { query: ask }: HostReader,
  ) {
    const actions = await dpkgActions(files, around)
    if (actions.length === 0) return nothing
    const paths = changes.flatMap(({ path, at }) =>
      path !== undefined && actions.some((each) => isNear(each.at, at)) ? [path] : [],
    )
    const [owning, apt] = await Promise.all([
      owningPackages(ask, paths.slice(0, 500), deadlineSeconds),
      aptRuns(files, around),
    ])
    return { ...nothing, packageActions: actions, aptRuns: apt, owners: owning }
  }
}

export function isNear(time: string, at: number): boolean {
  return Math.abs(Date.parse(time) - at) <= minuteMs
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

const nothing: Surroundings = {
  logins: undefined,
  sudo: [],
  packageActions: [],
  aptRuns: [],
  owners: new Map(),
  audit: new Map(),
  userNames: new Map(),
  applies: [],
}

/** Each path is a search through auditd's logs: the first ten. */
const auditedPaths = 10

async function auditOf(found: readonly NewFinding[], { query, files }: HostReader): Promise<Surroundings> {
  if (!isAuditing()) return nothing
  const asked = found.flatMap(({ path, at }) => (path === undefined ? [] : [{ path, at }])).slice(0, auditedPaths)
  const records = await Promise.all(
    asked.map(async ({ path, at }) => {
      const window = { from: at - minuteMs, to: at + minuteMs }
      return [path, await auditRecords(query, { path, ...window, deadlineSeconds })] as const
    }),
  )
  const uids = [...new Set(records.flatMap(([, of]) => of.flatMap(({ loginUid }) => loginUid ?? [])))]
  const names = await Promise.all(uids.map(async (uid) => [uid, await files.accounts.userName(uid)] as const))
  const userNames = new Map(names.flatMap(([uid, name]) => (name === undefined ? [] : [[uid, name] as const])))
  return { ...nothing, audit: new Map(records), userNames }
}
