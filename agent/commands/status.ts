// `plumb status`: what the last check of this host found and how long ago, without checking again, and what is held now.
// Exits as `plumb check` does.
import { type Problem, problemLine } from '../../shared/problem.ts'
import { type Report, type ServiceReport, stateOf, type Unknown } from '../../shared/report.ts'
import { absoluteTime, lengthOf, relativeTime } from '../../shared/time-text.js'
import { holdText } from '../plan/hold-text.ts'
import { heldAsNow, holdStore } from '../state/holds.ts'
import { readStatus } from '../state/status.ts'
import { runsOnText } from './failure-text.ts'
import type { Output } from './output.ts'

/** `beside`: what is known now, whatever the last check found. */
export function status(stateDirectory: string, output: Output, beside: readonly Problem[] = []): number {
  const seen = readStatus(stateDirectory)
  if (seen === undefined) {
    output.print({
      json: { state: 'never-checked', services: [], problems: [...beside] },
      text: [
        `nothing known: nobody has looked at this host with ${stateDirectory} yet, or what was found could not be written there. Run plumb check, or start the agent`,
        ...beside.map(problemLine),
      ],
    })
    return 1
  }
  const services = heldAsNow(seen.services, holdStore(stateDirectory).read())
  const report: Report = { ...seen, services: [...services], problems: [...seen.problems, ...beside] }
  output.print({ json: { state: 'checked', ...report }, text: lines(report, new Date()) })
  // A hold by itself is no difference.
  const states = report.services.map(stateOf)
  if (states.some((state) => state !== 'in-sync' && state !== 'unknown') || report.services.some(differs)) return 2
  return report.problems.length > 0 || states.includes('unknown') ? 1 : 0
}

/** What this check established of an unknown service. What an earlier check found is not known to hold. */
function differs({ findings, pending, unknown }: ServiceReport): boolean {
  return unknown?.seenAt === undefined && (pending.length > 0 || findings.some(({ seenAt }) => seenAt === undefined))
}

function lines({ host, at, revision, services, problems, sync }: Report, now: Date): readonly string[] {
  const width = Math.max(0, ...services.map(({ service }) => service.length))
  return [
    `${host} at ${revision?.slice(0, 12) ?? 'no revision'}, checked ${relativeTime(at, now)} (${absoluteTime(at)})`,
    ...services.map((service) => `  ${service.service.padEnd(width)}  ${serviceText(service)}`),
    ...(sync === undefined ? [] : [`sync has taken ${lengthOf(sync.seconds)}`]),
    ...problems.filter((problem) => !isTold(problem, services)).map(problemLine),
  ]
}

/** The line of its service has it. */
function isTold({ message }: Problem, services: Report['services']): boolean {
  return services.some(({ unknown }) => {
    const [first, ...others] = unknown?.problems ?? []
    const told = unknown?.seenAt === undefined ? [first, ...others] : [first]
    return told.some((problem) => problem?.message === message)
  })
}

function serviceText(service: ServiceReport): string {
  const { unknown, ...known } = service
  if (unknown?.seenAt === undefined) return stateText(service)
  return `unknown, at ${absoluteTime(unknown.seenAt)} it was ${stateText(known)}${reasonText(unknown)}`
}

function reasonText({ problems: [problem] }: Unknown): string {
  return problem === undefined ? '' : ` (${withoutPeriod(problem)})`
}

function stateText(service: ServiceReport): string {
  const { findings, pending, ignored = [], failure, hold, applied, unknown } = service
  const name = stateOf(service)
  const details = [
    ...findings.map(({ summary, seenAt }) =>
      seenAt === undefined ? summary : `${summary} (not checked since; found ${absoluteTime(seenAt)})`,
    ),
    ...(ignored.length > 0 ? [`${ignored.length} ignored`] : []),
    ...(pending.length > 0 ? [`${pending.length} pending`] : []),
    ...(unknown?.problems.map(withoutPeriod).map((text) => (name === 'unknown' ? text : `unknown: ${text}`)) ?? []),
    // Last, because it may end with lines of another program.
    ...(failure === undefined
      ? []
      : [`${failure.revision.slice(0, 12)} at ${failure.step}: ${withoutPeriod(failure.problem)}`]),
  ]
  const state = [
    name.replace('-', ' '),
    ...(failure === undefined ? [] : [runsOnText(applied)]),
    ...(hold === undefined ? [] : [holdText(hold)]),
  ].join(', ')
  return details.length === 0 ? state : `${state}: ${details.join('; ')}`
}

/** As a part of a longer line. */
function withoutPeriod({ message }: Problem): string {
  return message.replace(/\.$/, '')
}
