// `plumb check`: what is live here against the repository. Changes nothing. Exits 0 in plumb, 2 when anything drifted or is pending, 1 on an error.
import { keepingLines } from '../../shared/adoptable.ts'
import { changeLines } from '../../shared/change-text.ts'
import { evidenceLine } from '../../shared/evidence-text.ts'
import { fightText } from '../../shared/fight-text.ts'
import type { Problem } from '../../shared/problem.ts'
import { problemLine } from '../../shared/problem.ts'
import type { ServiceReport } from '../../shared/report.ts'
import { type Agent, lookAt, serviceReportsOf } from '../look.ts'
import { holdText } from '../plan/hold-text.ts'
import { onceEach } from '../report-of.ts'
import { desiredHere } from './desired-here.ts'
import { runsOnText } from './failure-text.ts'
import { givenWords, type HostOptions } from './open.ts'
import { counted, type Output } from './output.ts'
import { tellStatus } from './tell-status.ts'
import { unfinishedApply } from './unfinished.ts'

export type CheckOptions = HostOptions & {
  readonly revision?: string
  readonly full?: boolean
}

export async function check(agent: Agent, options: CheckOptions, output: Output): Promise<number> {
  const { desired, problems: fromSync } = await desiredHere(agent, options.revision)
  const unfinished = await unfinishedApply(agent.state)
  const look = await lookAt(agent, desired, { full: options.full === true })
  const services = await serviceReportsOf(agent, look)
  const unseen = look.comparison.services.flatMap((service) => service.problems)
  const { revision } = look.comparison
  const found = {
    host: agent.name,
    revision,
    services,
    problems: [...fromSync, ...unfinished, ...look.problems, ...unseen],
  }
  // Another revision than the one in force is a question, not the state of this host.
  const untold = options.revision === undefined ? tellStatus(agent.state, found) : []
  const problems = onceEach([...found.problems, ...untold])
  const resources = look.comparison.services.reduce((sum, service) => sum + service.resources.length, 0)
  output.print({
    json: { ...found, problems },
    text: [
      ...services.flatMap(serviceLines),
      ...problems.map(problemLine),
      summary(services, problems, `${counted(resources, 'resource')} at ${revision.slice(0, 12)}`),
      ...waysOut(services, givenWords(options)),
    ],
  })
  if (services.some(differs)) return 2
  return problems.length > 0 ? 1 : 0
}

const changesShown = 5

/** Who holds it, one line for each difference, and under it the diff of a drifted file. */
export function serviceLines({
  service,
  findings,
  pending,
  ignored = [],
  failure,
  applied,
  hold,
}: ServiceReport): readonly string[] {
  return [
    ...(hold === undefined ? [] : [`${service}: ${holdText(hold)}`]),
    ...findings.flatMap((finding) => {
      const { summary: found, diff, diffCut, evidence, fight } = finding
      return [
        `${service}: drift: ${found}`,
        ...(fight === undefined ? [] : [`  ${fightText(fight)}`]),
        ...(evidenceLine(evidence) === undefined ? [] : [`  ${evidenceLine(evidence)}`]),
        ...changeLines(finding, changesShown).map((line) => `  ${line}`),
        ...(diff === undefined ? [] : [diff.trimEnd()]),
        ...(diffCut ? ['(the diff was cut)'] : []),
      ]
    }),
    ...ignored.map(({ summary: left, why }) => `${service}: ignored: ${left} (${why})`),
    ...pending.map(({ summary: waiting }) => `${service}: pending: ${waiting}`),
    ...(failure === undefined
      ? []
      : [
          `${service}: failed at ${failure.revision.slice(0, 12)}: ${failure.step}: ${problemLine(failure.problem)} (${runsOnText(applied)})`,
        ]),
  ]
}

/** What is held is not put back by an apply. */
function waysOut(services: readonly ServiceReport[], options: string): readonly string[] {
  const drifted = services.filter(({ findings }) => findings.length > 0)
  const kept = drifted.flatMap(({ service, findings }) => {
    const lines = keepingLines(service, findings, { options }).map((line) => line.replace('To', 'to'))
    return drifted.length === 1 ? lines : lines.map((line) => `${service}: ${line}`)
  })
  return [...kept, ...(drifted.some(({ hold }) => hold === undefined) ? [`to put it back: plumb apply${options}`] : [])]
}

function differs({ findings, pending }: ServiceReport): boolean {
  return findings.length > 0 || pending.length > 0
}

function summary(services: readonly ServiceReport[], problems: readonly Problem[], of: string): string {
  const drifted = services.reduce((sum, { findings }) => sum + findings.length, 0)
  const pending = services.reduce((sum, service) => sum + service.pending.length, 0)
  const found = [
    ...(drifted > 0 ? [`${drifted} drifted`] : []),
    ...(pending > 0 ? [`${pending} pending`] : []),
    ...(problems.length > 0 ? [`${problems.length} not looked at as they should be`] : []),
  ]
  return found.length === 0
    ? `in plumb: ${counted(services.length, 'service')}, ${of}`
    : `out of plumb: ${found.join(', ')} (${of})`
}
