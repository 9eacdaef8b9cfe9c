// A report -> what of it is kept. Pure. A report within the schema may hold far more than anybody reads, and whatever is kept is
// written, compared, judged and shown again and again.
import { compact } from '../../shared/compact.ts'
import type { Finding } from '../../shared/finding.ts'
import type { Problem } from '../../shared/problem.ts'
import type { Failure, Report, ServiceReport, Unknown } from '../../shared/report.ts'
import { bounds } from '../allowance/bounds.ts'

/** The same report when it is within the bounds; otherwise the first of each, and a problem that counts the rest. */
export function boundedReport(report: Report): Report {
  const room = {
    findings: bounds.findings.limit,
    findingBytes: bounds.findingBytes.limit,
    pending: bounds.pending.limit,
    ignored: bounds.ignored.limit,
    problems: bounds.problems.limit,
    problemBytes: bounds.problemBytes.limit,
    shortened: 0,
  }
  const problems = boundedProblems(report.problems, room)
  const leftOut = { differences: 0, problems: report.problems.length - problems.length }
  const services = report.services.map((service) => {
    const kept = boundedService(service, room)
    leftOut.differences += differencesOf(service) - differencesOf(kept)
    leftOut.problems += problemsOf(service) - problemsOf(kept)
    return kept
  })
  const counts = { ...leftOut, shortened: room.shortened }
  if (Object.values(counts).every((count) => count === 0)) return report
  return { ...report, services, problems: [...problems, leftOutProblem(counts)] }
}

type Room = {
  findings: number
  findingBytes: number
  pending: number
  ignored: number
  problems: number
  problemBytes: number
  /** Counts up. */
  shortened: number
}

/** Takes from `room` what it uses. */
function boundedService(service: ServiceReport, room: Room): ServiceReport {
  const findings: Finding[] = []
  for (const finding of service.findings) {
    const size = JSON.stringify(finding).length
    if (room.findings === 0 || size > room.findingBytes) break
    room.findings -= 1
    room.findingBytes -= size
    findings.push(finding)
  }
  const pending = service.pending.slice(0, room.pending)
  room.pending -= pending.length
  const ignored = service.ignored?.slice(0, room.ignored)
  room.ignored -= ignored?.length ?? 0
  const { failure, unknown } = service
  return {
    ...service,
    findings,
    pending,
    ...compact({ ignored }),
    ...(failure === undefined ? {} : { failure: boundedFailure(failure, room) }),
    ...(unknown === undefined ? {} : { unknown: boundedUnknown(unknown, room) }),
  }
}

function boundedProblems(problems: readonly Problem[], room: Room): Problem[] {
  const end = problems.findIndex((problem) => !takes(problem, room))
  return problems.slice(0, end < 0 ? problems.length : end)
}

/** False: there is no room for it, and nothing was taken. */
function takes(problem: Problem, room: Room): boolean {
  const size = JSON.stringify(problem).length
  if (room.problems === 0 || size > room.problemBytes) return false
  room.problems -= 1
  room.problemBytes -= size
  return true
}

/** That a service failed, or is unknown, is kept in any case. */
function boundedFailure(failure: Failure, room: Room): Failure {
  return takes(failure.problem, room) ? failure : { ...failure, problem: shortened(failure.problem, room) }
}

function boundedUnknown(unknown: Unknown, room: Room): Unknown {
  const problems = boundedProblems(unknown.problems, room)
  const [first] = unknown.problems
  if (problems.length > 0 || first === undefined) return { ...unknown, problems }
  return { ...unknown, problems: [shortened(first, room)] }
}

const shortLength = 200

function shortened({ code, message }: Problem, room: Room): Problem {
  if (message.length > shortLength) room.shortened += 1
  return { code, message: message.slice(0, shortLength) }
}

function differencesOf({ findings, pending, ignored = [] }: ServiceReport): number {
  return findings.length + pending.length + ignored.length
}

function problemsOf({ unknown }: ServiceReport): number {
  return unknown?.problems.length ?? 0
}

type Counts = { readonly differences: number; readonly problems: number; readonly shortened: number }

function leftOutProblem({ differences, problems, shortened }: Counts): Problem {
  const parts = [
    ...(differences === 0 ? [] : [`${differences} differences are left out`]),
    ...(problems === 0 ? [] : [`${problems} problems are left out`]),
    ...(shortened === 0 ? [] : [`the text of ${shortened} problems is cut`]),
  ]
  return {
    code: 'report-too-large',
    message: `The host reports more than the server keeps of one host: ${parts.join(', ')}.`,
    remedy: 'On the host, plumb check shows all of them.',
  }
}
