// `plumb plan`: exactly what `plumb apply` would do, in order, with diffs. Changes nothing. Exits 0 when there is nothing to do, 2 when there is, 1 on an error.

import { compact } from '../../shared/compact.ts'
import { objectName } from '../../shared/finding-kind.ts'
import type { HostName } from '../../shared/names.ts'
import { problemLine } from '../../shared/problem.ts'
import type { Hold } from '../../shared/report.ts'
import { type Forecasts, forecastsFor } from '../forecast.ts'
import { type Agent, contentsOf, type HostInspection, inspectHost, maskOf } from '../inspect.ts'
import type { ServiceComparison } from '../plan/compare.ts'
import { changeDiff } from '../plan/content-diff.ts'
import { criticalPath, criticalPathText } from '../plan/critical-path.ts'
import type { FindingInput } from '../plan/findings.ts'
import { holdText } from '../plan/hold-text.ts'
import { leftData } from '../plan/moved-data.ts'
import { isEmpty, type Plan, planFor, type ServicePlan } from '../plan/plan.ts'
import { waitingRemoval } from '../plan/removal.ts'
import { foreseenLines, stepLines } from '../plan/text.ts'
import { changesIn } from '../resources/change-step.ts'
import { kinds } from '../resources/registry.ts'
import { desiredHere } from './desired-here.ts'
import { counted, type Output } from './output.ts'
import { unfinishedApply } from './unfinished.ts'

export type PlanOptions = { readonly revision?: string }

export async function plan(agent: Agent, options: PlanOptions, output: Output): Promise<number> {
  const { desired, problems: fromSync } = await desiredHere(agent, options.revision)
  const unfinished = await unfinishedApply(agent.state)
  const inspection = await inspectHost(agent, desired, { full: false })
  const planned = planFor(inspection.comparison, {
    repair: 'everything',
    holdOf: inspection.holds.of,
    memory: agent.host.memory,
  })
  const forecasts = await forecastsFor(agent, inspection, planned)
  const described = await describe(agent, inspection, { services: planned.services, forecasts })
  const waiting = criticalPath(planned.services, (project) => {
    const forecast = forecasts.get(project)
    return forecast?.kind === 'up' ? forecast.healthSeconds : 0
  })
  const removal = waitingRemoval(inspection.comparison)
  const problems = [...fromSync, ...unfinished, ...inspection.problems, ...(removal === undefined ? [] : [removal])]
  output.print({
    json: {
      ...{ host: agent.name, revision: planned.revision, services: described, problems },
      ...compact({ waiting }),
    },
    text: [
      ...described.flatMap(linesOf),
      ...problems.map(problemLine),
      ...(waiting === undefined ? [] : [criticalPathText(waiting)]),
      summary(planned, agent.name),
    ],
  })
  if (!isEmpty(planned)) return 2
  return problems.length > 0 ? 1 : 0
}

type DescribedService = {
  readonly service: string
  readonly steps: readonly string[]
  readonly diffs: readonly string[]
  readonly blocked: readonly string[]
  /** What differs and no apply changes, and data that containers no longer see. */
  readonly left: readonly string[]
  readonly held?: Hold
  readonly waits?: string
}

async function describe(
  agent: Agent,
  inspection: HostInspection,
  { services, forecasts }: Pick<Plan, 'services'> & { readonly forecasts: Forecasts },
): Promise<readonly DescribedService[]> {
  const input: FindingInput = {
    contents: await contentsOf(agent, inspection, services.flatMap(changesIn)),
    mask: await maskOf(agent, inspection),
  }
  const left = new Map(inspection.comparison.services.map((one) => [one.service, leftOf(one)]))
  return services
    .filter(
      ({ service, steps, blocked, held, waits }) =>
        steps.length + blocked.length + (left.get(service) ?? []).length > 0 ||
        held !== undefined ||
        waits !== undefined,
    )
    .map((service) => ({
      service: service.service,
      left: (left.get(service.service) ?? []).map(input.mask.text),
      steps: service.steps.flatMap((step) => foreseenLines(step, forecasts)).map(input.mask.text),
      diffs: diffsOf(service, input),
      blocked: service.blocked.map(problemLine),
      ...compact({ held: service.held }),
      ...(service.waits === undefined ? {} : { waits: service.waits.text }),
    }))
}

/** Networks and volumes that the engine does not change, and those that others take the place of. */
function leftOf(service: ServiceComparison): readonly string[] {
  const unchanged = service.resources.flatMap(({ id, comparison }) => {
    const left = comparison.drift.filter(({ name }) => name === objectName)
    return left.length === 0 ? [] : [`takes no effect: ${kinds.unit.describe(id, left)}`]
  })
  return [...unchanged, ...leftData(service).map((text) => `other data: ${text}`)]
}

function diffsOf(service: ServicePlan, input: FindingInput): readonly string[] {
  return changesIn(service).flatMap((change) => {
    const diff = changeDiff(change, input)
    return diff === undefined ? [] : [diff.cut ? `${diff.text}(the diff was cut)\n` : diff.text]
  })
}

function linesOf({ service, steps, diffs, blocked, left, held, waits }: DescribedService): readonly string[] {
  return [
    ...(held === undefined ? [] : [`${service}: ${holdText(held)}: nothing will be applied`]),
    ...(waits === undefined ? [] : [`${service}: ${waits}`]),
    ...steps.map((step) => `${service}: ${step}`),
    ...diffs.map((diff) => diff.trimEnd()),
    ...left.map((text) => `${service}: ${text}`),
    ...blocked.map((problem) => `${service}: cannot be applied: ${problem}`),
  ]
}

/** Named, since without --host it is the machine's own name that was judged. */
function summary({ services, revision }: Plan, host: HostName): string {
  const steps = services.reduce((sum, service) => sum + service.steps.flatMap(stepLines).length, 0)
  const blocked = services.filter((service) => service.blocked.length > 0).length
  const without = blocked === 0 ? '' : `; ${counted(blocked, 'service')} cannot be applied`
  return steps === 0
    ? `nothing to do at ${revision.slice(0, 12)} on ${host}${without}`
    : `${counted(steps, 'step')} to ${revision.slice(0, 12)} on ${host}${without}`
}
