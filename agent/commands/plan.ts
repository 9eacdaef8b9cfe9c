// `plumb plan`: exactly what `plumb apply` would do, in order, with diffs. Changes nothing. Exits 0 when there is nothing to do, 2 when there is, 1 on an error.
import { problemLine } from '../../shared/problem.ts'
import type { Hold } from '../../shared/report.ts'
import { type Forecasts, forecastsFor } from '../forecast.ts'
import { type Agent, contentsOf, type Look, lookAt, maskOf } from '../look.ts'
import { changeDiff, type FindingInput } from '../plan/findings.ts'
import { holdText } from '../plan/hold-text.ts'
import { changesIn, isEmpty, type Plan, planFor, type ServicePlan } from '../plan/plan.ts'
import { waitingRemoval } from '../plan/removal.ts'
import { foreseenLines, stepLines } from '../plan/text.ts'
import { desiredHere } from './desired-here.ts'
import { counted, type Output } from './output.ts'
import { unfinishedApply } from './unfinished.ts'

export type PlanOptions = { readonly revision?: string }

export async function plan(agent: Agent, options: PlanOptions, output: Output): Promise<number> {
  const { desired, problems: fromSync } = await desiredHere(agent, options.revision)
  const unfinished = await unfinishedApply(agent.state)
  const look = await lookAt(agent, desired, { full: false })
  const planned = planFor(look.comparison, { repair: 'everything', holdOf: look.holds.of })
  const forecasts = await forecastsFor(agent, look, planned)
  const described = await describe(agent, look, { services: planned.services, forecasts })
  const removal = waitingRemoval(look.comparison)
  const problems = [...fromSync, ...unfinished, ...look.problems, ...(removal === undefined ? [] : [removal])]
  output.print({
    json: { host: agent.name, revision: planned.revision, services: described, problems },
    text: [...described.flatMap(linesOf), ...problems.map(problemLine), summary(planned)],
  })
  if (!isEmpty(planned)) return 2
  return problems.length > 0 ? 1 : 0
}

type DescribedService = {
  readonly service: string
  readonly steps: readonly string[]
  readonly diffs: readonly string[]
  readonly blocked: readonly string[]
  readonly held?: Hold
  readonly waits?: string
}

async function describe(
  agent: Agent,
  look: Look,
  { services, forecasts }: Pick<Plan, 'services'> & { readonly forecasts: Forecasts },
): Promise<readonly DescribedService[]> {
  const input: FindingInput = {
    contents: await contentsOf(agent, look, services.flatMap(changesIn)),
    mask: await maskOf(agent, look),
  }
  return services
    .filter(
      ({ steps, blocked, held, waits }) =>
        steps.length + blocked.length > 0 || held !== undefined || waits !== undefined,
    )
    .map((service) => ({
      service: service.service,
      steps: service.steps.flatMap((step) => foreseenLines(step, forecasts)).map(input.mask.text),
      diffs: diffsOf(service, input),
      blocked: service.blocked.map(problemLine),
      ...(service.held === undefined ? {} : { held: service.held }),
      ...(service.waits === undefined ? {} : { waits: service.waits }),
    }))
}

function diffsOf(service: ServicePlan, input: FindingInput): readonly string[] {
  return changesIn(service).flatMap((change) => {
    const diff = changeDiff(change, input)
    return diff === undefined ? [] : [diff.cut ? `${diff.text}(the diff was cut)\n` : diff.text]
  })
}

function linesOf({ service, steps, diffs, blocked, held, waits }: DescribedService): readonly string[] {
  return [
    ...(held === undefined ? [] : [`${service}: ${holdText(held)}: nothing will be applied`]),
    ...(waits === undefined ? [] : [`${service}: ${waits}`]),
    ...steps.map((step) => `${service}: ${step}`),
    ...diffs.map((diff) => diff.trimEnd()),
    ...blocked.map((problem) => `${service}: cannot be applied: ${problem}`),
  ]
}

function summary({ services, revision }: Plan): string {
  const steps = services.reduce((sum, service) => sum + service.steps.flatMap(stepLines).length, 0)
  return steps === 0
    ? `nothing to do at ${revision.slice(0, 12)}`
    : `${counted(steps, 'step')} to ${revision.slice(0, 12)}`
}
