// Drift that is put back by the repository's policy: told as it was found, and counted, so that a fight is noticed.
import type { ResourceId } from '../shared/names.ts'
import { type Repair, repairedDiffLimitBytes, repairsLimit } from '../shared/report.ts'
import { type ApplyResult, appliedIn } from './apply/result.ts'
import { type Agent, type HostInspection, serviceReportsOf } from './inspect.ts'
import { drifted } from './plan/compare.ts'
import { withinBudget } from './plan/findings.ts'
import type { Plan } from './plan/plan.ts'
import { changesIn } from './resources/change-step.ts'

export function noteDrift({ state }: Agent, { comparison }: HostInspection, now: Date): void {
  state.repairs.checked(new Set(comparison.services.flatMap(drifted).map(({ id }) => id)), now)
}

/** With diffs and evidence, which are gone once it is put back: to be asked before the apply. */
export async function repairsFound(agent: Agent, inspection: HostInspection, plan: Plan): Promise<readonly Repair[]> {
  const repaired = repairsIn(plan)
  if (repaired.size === 0) return []
  const budget = { left: repairedDiffLimitBytes }
  return (await serviceReportsOf(agent, inspection))
    .flatMap(({ service, findings }) => findings.map((finding) => ({ service, finding })))
    .filter(({ finding }) => repaired.has(finding.resource))
    .slice(0, repairsLimit)
    .map(({ service, finding }) => ({ service, finding: withinBudget(finding, budget) }))
}

/** What a person or a commit put right is nobody's fight. */
export function noteRepairs(
  { state }: Agent,
  plan: Plan,
  { result, byPolicy, now }: { readonly result: ApplyResult; readonly byPolicy: boolean; readonly now: Date },
): void {
  const applied = appliedIn(result)
  const services = plan.services.filter(({ service }) => applied.has(service))
  const repairs = services.flatMap((servicePlan) => servicePlan.repairs)
  const changed = services.flatMap(changesIn).map(({ id }) => id)
  state.repairs.forget(byPolicy ? changed.filter((id) => !repairs.includes(id)) : [...changed, ...repairs])
  if (byPolicy) state.repairs.repaired(repairs, now)
}

export function repairsDone(found: readonly Repair[], result: ApplyResult): Repair[] {
  const applied = appliedIn(result)
  return found.filter(({ service }) => applied.has(service))
}

function repairsIn({ services }: Plan): ReadonlySet<ResourceId> {
  return new Set(services.flatMap(({ repairs }) => repairs))
}
