// A report that the server can take in one frame: first the diffs go, then all but the beginning of long lists. What is missing
// is said in the report itself.
import { frameLimit } from '../../shared/protocol.ts'
import type { ApplyReport, Report, ServiceReport } from '../../shared/report.ts'

/** Below the frame's limit by what the message around the report takes. */
export const reportLimitBytes = frameLimit - 64 * 1024

export function fitted(report: Report, limitBytes: number = reportLimitBytes): Report {
  if (sizeOf(report) <= limitBytes) return report
  const plain = withProblem({ ...report, services: report.services.map(withoutDiffs) }, 'their diffs')
  if (sizeOf(plain) <= limitBytes) return plain
  for (const most of [1000, 100, 10]) {
    const short = withProblem(shortened(plain, most), `more than the first ${most} of each service`)
    if (sizeOf(short) <= limitBytes) return short
  }
  // At least one of each stays: a service with findings must not look as if it had none.
  return withProblem(shortened(plain, 1), 'more than the first of each service')
}

function withoutDiffs(service: ServiceReport): ServiceReport {
  const findings = service.findings.map(({ diff, changes, ...finding }) => ({
    ...finding,
    ...(diff === undefined ? {} : { diffCut: true }),
    ...(changes === undefined ? {} : { changesCut: true }),
  }))
  return { ...service, findings }
}

function shortened(report: Report, most: number): Report {
  const services = report.services.map((service) => ({
    ...service,
    findings: service.findings.slice(0, most),
    pending: service.pending.slice(0, most),
    ...(service.ignored === undefined ? {} : { ignored: service.ignored.slice(0, most) }),
  }))
  return {
    ...report,
    services,
    ...(report.apply === undefined ? {} : { apply: shortenedApply(report.apply, most) }),
    ...(report.personApplies === undefined
      ? {}
      : { personApplies: report.personApplies.map((apply) => shortenedApply(apply, most)) }),
  }
}

function shortenedApply({ changes, repaired, ...apply }: ApplyReport, most: number): ApplyReport {
  return {
    ...apply,
    changes: changes.slice(0, most),
    ...(repaired === undefined ? {} : { repaired: repaired.slice(0, most) }),
  }
}

function withProblem(report: Report, missing: string): Report {
  const findings = report.services.reduce((sum, service) => sum + service.findings.length, 0)
  const message = `This report was too large to send; it does not have ${missing}. ${findings} findings are in it.`
  const problem = { code: 'internal' as const, message, remedy: 'See all of them on the host: plumb check.' }
  const others = report.problems.filter((known) => known.code !== 'internal' || known.remedy !== problem.remedy)
  return { ...report, problems: [...others.slice(0, 999), problem] }
}

function sizeOf(report: Report): number {
  return Buffer.byteLength(JSON.stringify(report))
}
