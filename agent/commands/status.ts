// `plumb status`: what the last look at this host found, without looking again, and what is held now. Exits as `plumb check` does.
import { problemLine } from '../../shared/problem.ts'
import { type Report, type ServiceReport, stateOf } from '../../shared/report.ts'
import { holdText } from '../plan/hold-text.ts'
import { heldAsNow, holdStore } from '../state/holds.ts'
import { readStatus } from '../state/status.ts'
import { runsOnText } from './failure-text.ts'
import type { Output } from './output.ts'

export function status(stateDirectory: string, output: Output): number {
  const seen = readStatus(stateDirectory)
  if (seen === undefined) {
    output.print({
      json: null,
      text: [
        `nothing known yet: nobody has looked at this host with ${stateDirectory}. Run plumb check, or start the agent`,
      ],
    })
    return 1
  }
  const services = heldAsNow(seen.services, holdStore(stateDirectory).read())
  const report: Report = { ...seen, services: [...services] }
  output.print({ json: report, text: lines(report) })
  // A hold by itself is no difference.
  if (report.services.some(({ hold: _, ...service }) => stateOf(service) !== 'in-plumb')) return 2
  return report.problems.length > 0 ? 1 : 0
}

function lines({ host, at, revision, services, problems }: Report): readonly string[] {
  const width = Math.max(0, ...services.map(({ service }) => service.length))
  return [
    `${host} at ${revision?.slice(0, 12) ?? 'no revision'}, looked at ${at}`,
    ...services.map((service) => `  ${service.service.padEnd(width)}  ${stateText(service)}`),
    ...problems.map(problemLine),
  ]
}

function stateText(service: ServiceReport): string {
  const { findings, pending, ignored = [], failure, hold, applied } = service
  const name = stateOf(service)
  const details = [
    ...(hold === undefined || name === 'held' ? [] : [holdText(hold)]),
    ...(failure === undefined
      ? []
      : [
          `${failure.revision.slice(0, 12)} at ${failure.step}: ${failure.problem.message.replace(/\.$/, '')}`,
          runsOnText(applied),
        ]),
    ...findings.map(({ summary }) => summary),
    ...(ignored.length > 0 ? [`${ignored.length} ignored`] : []),
    ...(pending.length > 0 ? [`${pending.length} pending`] : []),
  ]
  const state = hold !== undefined && name === 'held' ? holdText(hold) : name.replace('-', ' ')
  return details.length === 0 ? state : `${state}: ${details.join('; ')}`
}
