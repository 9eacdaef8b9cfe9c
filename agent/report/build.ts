// Builds the report of a check, for the server and for `plumb status`.

import { randomUUID } from 'node:crypto'
import { release } from 'node:os'
import { compact } from '../../shared/compact.ts'
import type { HostName, Revision } from '../../shared/names.ts'
import { type Problem, problemLine } from '../../shared/problem.ts'
import type { ApplyReport, EndedHold, Report, ServiceReport, SyncReport } from '../../shared/report.ts'
import { agentVersion } from '../version.ts'

export type ReportParts = {
  readonly host: HostName
  /** Undefined before the first sync. */
  readonly revision: Revision | undefined
  readonly services: readonly ServiceReport[]
  readonly problems: readonly Problem[]
  readonly sync?: SyncReport | undefined
  readonly apply?: ApplyReport | undefined
  readonly personApplies?: readonly ApplyReport[]
  readonly endedHolds?: readonly EndedHold[]
}

export function buildReport({
  host,
  revision,
  services,
  problems,
  sync,
  apply,
  personApplies = [],
  endedHolds = [],
}: ReportParts): Report {
  return {
    id: randomUUID(),
    host,
    at: new Date().toISOString(),
    agentVersion,
    platform: `${process.platform} ${process.arch} ${release()}`,
    ...compact({ revision }),
    services: [...services],
    problems: dedupeProblems(problems).slice(0, 1000),
    ...compact({ sync, apply }),
    ...(personApplies.length === 0 ? {} : { personApplies: [...personApplies] }),
    ...(endedHolds.length === 0 ? {} : { endedHolds: [...endedHolds] }),
    dropped: 0,
  }
}

/** Keeps one problem per cause: every step meets a full disk, and every revision that uses a missing secret reports it. */
export function dedupeProblems(problems: readonly Problem[]): Problem[] {
  const byCause = new Map<string, Problem>()
  for (const problem of problems) {
    const cause = problem.code === 'disk-full' ? problem.code : problemLine(problem)
    if (!byCause.has(cause)) byCause.set(cause, problem)
  }
  return [...byCause.values()]
}
