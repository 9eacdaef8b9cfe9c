// `plumb check`: what is live here against the repository. Changes nothing. Exits 0 in sync, 2 when anything drifted or is
// pending, else 1 on an error, or when something could not be checked.
import { changeLines } from '../../shared/change-text.ts'
import { evidenceLine } from '../../shared/evidence-text.ts'
import type { Finding } from '../../shared/finding.ts'
import { hiddenText } from '../../shared/hidden-text.ts'
import type { Problem } from '../../shared/problem.ts'
import { problemLine } from '../../shared/problem.ts'
import { repairLoopText } from '../../shared/repair-loop-text.ts'
import type { ServiceReport } from '../../shared/report.ts'
import { type WayOut, waysOut } from '../../shared/ways-out.ts'
import { wayOutLines } from '../../shared/ways-out-text.ts'
import { inspectHost, serviceReportsOf } from '../inspect.ts'
import { holdText } from '../plan/hold-text.ts'
import { dedupeProblems } from '../report/build.ts'
import { adoptNeeds } from './adopt-needs.ts'
import { agentDown } from './agent-down.ts'
import type { Configuration } from './configuration.ts'
import { desiredHere } from './desired-here.ts'
import { runsOnText } from './failure-text.ts'
import { givenWords, type HostOptions, type Opened } from './open.ts'
import { counted, type Output } from './output.ts'
import { tellStatus } from './tell-status.ts'
import { unfinishedApply } from './unfinished.ts'

export type CheckOptions = HostOptions & {
  readonly revision?: string
  readonly full?: boolean
}

export async function check({ agent, configuration }: Opened, options: CheckOptions, output: Output): Promise<number> {
  const { desired, problems: fromSync } = await desiredHere(agent, options.revision)
  const unfinished = await unfinishedApply(agent.state)
  const inspection = await inspectHost(agent, desired, { full: options.full === true })
  const services = await serviceReportsOf(agent, inspection)
  const unseen = inspection.comparison.services.flatMap((service) => service.problems)
  const { revision } = inspection.comparison
  const found = {
    host: agent.name,
    revision,
    services,
    problems: [...fromSync, ...unfinished, ...inspection.problems, ...unseen],
  }
  // Another revision than the one in force is a question, not the state of this host.
  const untold = options.revision === undefined ? tellStatus(agent.state, found) : []
  const down = await agentDown(options, agent.host.query)
  const problems = dedupeProblems([...found.problems, ...untold, ...down])
  const beside = dedupeProblems([...fromSync, ...unfinished, ...inspection.problems, ...untold, ...down])
  const ways = waysByService(services, revision)
  const resources = inspection.comparison.services.reduce((sum, service) => sum + service.resources.length, 0)
  output.print({
    json: { ...found, problems, waysOut: ways },
    text: [
      ...services.flatMap(serviceLines),
      ...beside.map(problemLine),
      summary(services, beside, `${counted(resources, 'resource')} at ${revision.slice(0, 12)}`),
      ...(await wayLines(ways, configuration, options)),
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
  unknown,
}: ServiceReport): readonly string[] {
  return [
    ...(hold === undefined ? [] : [`${service}: ${holdText(hold)}`]),
    ...findings.flatMap((finding) => {
      const { summary: found, diff, diffCut, diffHidden, evidence, fight, log } = finding
      return [
        `${service}: drift: ${found}`,
        ...(fight === undefined ? [] : [`  ${repairLoopText(fight)}`]),
        ...(evidenceLine(evidence) === undefined ? [] : [`  ${evidenceLine(evidence)}`]),
        ...changeLines(finding, changesShown).map((line) => `  ${line}`),
        ...(log === undefined ? [] : log.split('\n').map((line) => `  | ${line}`)),
        ...(diff === undefined ? [] : [diff.trimEnd()]),
        ...(diffHidden === undefined ? [] : [`  ${hiddenText(diffHidden)}`]),
        ...(diffCut ? ['(the diff was cut)'] : []),
      ]
    }),
    ...ignored.map(({ summary: left, why }) => `${service}: ignored: ${left} (${why})`),
    ...pending.flatMap(({ resource, summary: waiting }) => [
      `${service}: pending: ${waiting}`,
      ...revisedLines(findings.find((finding) => finding.resource === resource)),
    ]),
    ...(unknown?.problems.map((problem) => `${service}: unknown: ${problemLine(problem)}`) ?? []),
    ...(failure === undefined
      ? []
      : [
          `${service}: failed at ${failure.revision.slice(0, 12)} (${runsOnText(applied)}): ${failure.step}: ${problemLine(failure.problem)}`,
        ]),
  ]
}

/** What the commit changes of what somebody changed too. */
function revisedLines(finding: Finding | undefined): readonly string[] {
  const { diff, diffCut = false } = finding?.revised ?? {}
  return [...(diff === undefined ? [] : [diff.trimEnd()]), ...(diffCut ? ['(the diff was cut)'] : [])]
}

type ServiceWays = { readonly service: string; readonly ways: readonly WayOut[] }

function waysByService(services: readonly ServiceReport[], revision: string): readonly ServiceWays[] {
  return services
    .map((service) => ({ service: service.service, ways: waysOut({ ...service, revision }) }))
    .filter(({ ways }) => ways.length > 0)
}

/**
 * One apply is for all services: without a hold to be ended first it is said once. Of a single service that differs the command says
 * enough; what there is no command for is always said with the name.
 */
async function wayLines(
  services: readonly ServiceWays[],
  configuration: Configuration,
  given: HostOptions,
): Promise<readonly string[]> {
  const all = services.flatMap(({ ways }) => ways)
  const needs = all.some(({ kind }) => kind === 'adopt') ? await adoptNeeds(configuration) : undefined
  const words = { options: givenWords(given), adoptOptions: needs?.options ?? '', isWithin: true }
  const isForAll = (way: WayOut) => way.kind === 'apply' && way.commands.length === 1
  const lines = (ways: readonly WayOut[]) => wayOutLines(ways, words)
  const own = services.flatMap(({ service, ways }) =>
    ways
      .filter((way) => !isForAll(way))
      .flatMap((way) => {
        const isEnough = services.length === 1 && 'commands' in way
        return lines([way]).map((line) => (isEnough ? line : `${service}: ${line}`))
      }),
  )
  return [...own, ...(needs?.notes ?? []), ...new Set(lines(all.filter(isForAll)))]
}

function differs({ findings, pending }: ServiceReport): boolean {
  return findings.length > 0 || pending.length > 0
}

function summary(services: readonly ServiceReport[], problems: readonly Problem[], of: string): string {
  const drifted = services.reduce((sum, { findings }) => sum + findings.length, 0)
  const pending = services.reduce((sum, service) => sum + service.pending.length, 0)
  const unknown = services.filter((service) => service.unknown !== undefined).length
  const found = [
    ...(drifted > 0 ? [`${drifted} drifted`] : []),
    ...(pending > 0 ? [`${pending} pending`] : []),
    ...(unknown > 0 ? [`${counted(unknown, 'service')} unknown`] : []),
    ...(problems.length > 0 ? [counted(problems.length, 'problem')] : []),
  ]
  return found.length === 0
    ? `in sync: ${counted(services.length, 'service')}, ${of}`
    : `out of sync: ${found.join(', ')} (${of})`
}
