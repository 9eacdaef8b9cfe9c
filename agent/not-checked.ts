// What a check could not establish, taken from the check before and marked with its time. It is not gone because it could not
// be checked, and it is not passed off as present either. Pure.
import type { Finding } from '../shared/finding.ts'
import { lastRunName } from '../shared/finding-kind.ts'
import type { Problem } from '../shared/problem.ts'
import type { ServiceReport } from '../shared/report.ts'
import type { HostComparison } from './plan/compare.ts'

export type Earlier = {
  readonly services: readonly ServiceReport[]
  /** ISO 8601. */
  readonly at: string
}

/** Nothing could be checked. */
export function notChecked({ services, at }: Earlier, reasons: readonly Problem[]): readonly ServiceReport[] {
  const problems = reasons.slice(0, reasonsRepeated)
  return services.map((service) => ({ ...service, unknown: { problems, seenAt: service.unknown?.seenAt ?? at } }))
}

/** With each of up to a thousand services; the report has all of them once. */
const reasonsRepeated = 3

/**
 * The drift of a resource that could not be checked again stays until a check finds it gone, and the failure of a job until a
 * later run has ended: while one is under way, the one before it is still the last.
 */
export function withEarlierFindings(
  services: readonly ServiceReport[],
  { comparison }: { readonly comparison: HostComparison },
  earlier: Earlier,
): readonly ServiceReport[] {
  const unchecked = uncheckedResources(comparison)
  const underWay = resourcesUnderWay(comparison)
  if (unchecked.size + underWay.size === 0) return services
  const before = new Map(earlier.services.map(({ service, findings }) => [service, findings]))
  return services.map((service) => {
    const kept = (before.get(service.service) ?? []).flatMap((finding): readonly Finding[] => {
      if (unchecked.has(finding.resource)) return [{ ...finding, seenAt: finding.seenAt ?? earlier.at }]
      const isOfAJob = finding.differences.every(({ name }) => name === lastRunName)
      return isOfAJob && underWay.has(finding.resource) ? [finding] : []
    })
    return kept.length === 0 ? service : { ...service, findings: [...service.findings, ...kept] }
  })
}

function uncheckedResources({ services }: HostComparison): ReadonlySet<string> {
  return new Set(
    services.flatMap(({ unseen, desired }) => [
      ...unseen.map(({ subject }) => subject.id),
      ...(desired?.withheld?.resources ?? []).map(({ id }) => id),
    ]),
  )
}

function resourcesUnderWay({ services }: HostComparison): ReadonlySet<string> {
  const all = services.flatMap(({ resources }) => resources)
  return new Set(all.filter(({ live }) => live.unit?.lastRun?.kind === 'under-way').map(({ id }) => id))
}
