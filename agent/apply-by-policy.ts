// Acting for the running agent: a repair that is undone before the host was looked at again is made again at once. A report
// would else tell of drift, an alert would open and be resolved a moment later, and a fight would be one more alert.
import { repairedDiffLimitBytes, repairsLimit } from '../shared/report.ts'
import { type ApplyRun, type ApplyRunOptions, hasRepairsLeft, runApply } from './apply-run.ts'
import type { Agent, Desired } from './inspect.ts'
import { withinBudget } from './plan/findings.ts'
import type { Lock } from './state/lock.ts'
import { loopRepairs } from './state/repairs.ts'

/** One resource is a fight by then; several that take turns are left to the next pass. */
const mostRounds = 2 * loopRepairs

export type ApplyRunByPolicy = Pick<ApplyRun, 'inspection' | 'report' | 'problems' | 'restartsAgent'>

export async function runApplyByPolicy(
  agent: Agent,
  desired: Desired,
  lock: Lock,
  options: Omit<ApplyRunOptions, 'repair'>,
): Promise<ApplyRunByPolicy> {
  const act = (full: boolean) => runApply(agent, desired, lock, { ...options, full, repair: 'by-policy' })
  let latest = await act(options.full)
  let all: ApplyRunByPolicy = latest
  for (let round = 1; round < mostRounds && latest.report !== undefined; round += 1) {
    if (!hasRepairsLeft(agent, latest.inspection)) break
    latest = await act(false)
    all = {
      ...latest,
      report: joined(all.report, latest.report),
      problems: [...all.problems, ...latest.problems],
      restartsAgent: all.restartsAgent ?? latest.restartsAgent,
    }
  }
  return all
}

function joined(first: ApplyRun['report'], second: ApplyRun['report']): ApplyRun['report'] {
  if (first === undefined || second === undefined) return first ?? second
  const budget = { left: repairedDiffLimitBytes }
  const repaired = [...(first.repaired ?? []), ...(second.repaired ?? [])]
    .slice(0, repairsLimit)
    .map(({ service, finding }) => ({ service, finding: withinBudget(finding, budget) }))
  return {
    ...second,
    changes: [...first.changes, ...second.changes],
    failed: [...new Set([...first.failed, ...second.failed])],
    ...(repaired.length === 0 ? {} : { repaired }),
  }
}
