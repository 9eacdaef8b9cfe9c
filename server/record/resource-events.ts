// A report against what was known before -> what happened to each resource since. Pure.
// Decision: docs/decisions/2026-11-26-resource-events.md
import { compact } from '../../shared/compact.ts'
import { evidenceLine } from '../../shared/evidence-text.ts'
import type { Finding } from '../../shared/finding.ts'
import { covers } from '../../shared/hold.ts'
import type { ServiceName } from '../../shared/names.ts'
import { type ApplyReport, appliesIn, type Hold, type Report, type ServiceReport } from '../../shared/report.ts'
import type { NewResourceEvent } from '../store/resource-events.ts'

/** `before`: what the host said last of each of its services. In the order in which it can have happened. */
export function resourceEvents(
  before: ReadonlyMap<ServiceName, ServiceReport>,
  report: Report,
  heardAt: string,
): readonly NewResourceEvent[] {
  const at = momentOf(report.at, heardAt)
  const now = new Map(report.services.map((service) => [service.service, service]))
  const left = [...before.keys()].filter((service) => !now.has(service))
  return [
    ...appliesIn(report).flatMap((apply) => [...repairedEvents(apply, heardAt), ...appliedEvents(apply, heardAt)]),
    ...report.services.flatMap((service) => {
      const step = { before: before.get(service.service), now: service, report, at }
      return [...driftEvents(step), ...ignoredEvents(step), ...putRightEvents(step), ...holdEvents(step)]
    }),
    ...left.map((service): NewResourceEvent => ({ event: { kind: 'left', at, service } })),
  ]
}

/** A summary is for a line on a page; the report itself is kept elsewhere. */
const textLimit = 600

function appliedEvents(apply: ApplyReport, heardAt: string): readonly NewResourceEvent[] {
  const { revision, changes } = apply
  const at = momentOf(apply.at, heardAt)
  return changes.flatMap(({ service, resource, source, summary }) =>
    resource === undefined
      ? []
      : { resource, source, event: { kind: 'applied', at, service, revision, summary: summary.slice(0, textLimit) } },
  )
}

/** Drift that was repaired before it was ever reported. */
function repairedEvents(apply: ApplyReport, heardAt: string): readonly NewResourceEvent[] {
  const at = momentOf(apply.at, heardAt)
  return (apply.repaired ?? []).flatMap(({ service, finding }) => {
    const { resource, source } = finding
    const putRight = { kind: 'put-right', at, service, by: 'policy', revision: apply.revision } as const
    return [differing('drifted', finding, { at, service }), { resource, source, event: putRight }]
  })
}

type Step = {
  readonly before: ServiceReport | undefined
  readonly now: ServiceReport
  readonly report: Report
  readonly at: string
}

function driftEvents({ before, now: { service, findings }, at }: Step): readonly NewResourceEvent[] {
  const known = new Map(before?.findings.map((finding) => [finding.resource, finding]))
  return findings.flatMap((finding) => {
    const was = known.get(finding.resource)
    if (was === undefined) return differing('drifted', finding, { at, service })
    return isSameDifference(was, finding) ? [] : differing('drifted-on', finding, { at, service })
  })
}

function differing(
  kind: 'drifted' | 'drifted-on',
  { resource, source, summary, evidence }: Finding,
  about: { readonly at: string; readonly service: ServiceName },
): NewResourceEvent {
  const line = evidenceLine(evidence)?.slice(0, textLimit)
  const event = {
    kind,
    ...about,
    summary: summary.slice(0, textLimit),
    ...compact({ evidence: line }),
  }
  return { resource, source, event }
}

function ignoredEvents({ before, now: { service, ignored = [] }, at }: Step): readonly NewResourceEvent[] {
  const known = new Set(before?.ignored?.map(({ resource }) => resource))
  return ignored.flatMap(({ resource, summary, why }) =>
    known.has(resource)
      ? []
      : { resource, event: { kind: 'ignored', at, service, summary: summary.slice(0, textLimit), why } },
  )
}

/** Other evidence, or another word for it, is the same difference. */
function isSameDifference(one: Finding, other: Finding): boolean {
  return one.diff === other.diff && JSON.stringify(one.differences) === JSON.stringify(other.differences)
}

function putRightEvents({ before, now, report, at }: Step): readonly NewResourceEvent[] {
  const still = new Set([...now.findings, ...(now.ignored ?? [])].map(({ resource }) => resource))
  const differed: readonly Pick<Finding, 'resource' | 'source'>[] = [
    ...(before?.findings ?? []),
    ...(before?.ignored ?? []),
  ]
  const ended = differed.filter(({ resource }) => !still.has(resource))
  return ended.map(({ resource, source }) => {
    const about = { kind: 'put-right', at, service: now.service } as const
    const revision = now.applied === undefined ? {} : { revision: now.applied }
    if (isApplied(report, now.service, resource))
      return { resource, source, event: { ...about, by: 'apply', ...revision } }
    if (now.applied !== before?.applied) return { resource, source, event: { ...about, by: 'revision', ...revision } }
    return { resource, source, event: { ...about, by: 'host' } }
  })
}

/** Not every change names its resource: then what was changed in its service may have been it. */
function isApplied(report: Report, service: ServiceName, resource: string): boolean {
  const changes = appliesIn(report).flatMap((apply) => apply.changes.filter((change) => change.service === service))
  return changes.some((change) => change.resource === undefined || change.resource === resource)
}

function holdEvents({ before, now: { service, hold }, report, at }: Step): readonly NewResourceEvent[] {
  const was = before?.hold
  if (hold !== undefined && (was === undefined || !isSameHold(was, hold))) {
    const { by, why, until } = hold
    return [{ event: { kind: 'held', at, service, by, why, until } }]
  }
  if (hold !== undefined || was === undefined) return []
  const by = report.endedHolds?.find(
    (ended) => covers(ended.service, service) && ended.by === was.by && ended.until === was.until,
  )?.releasedBy
  const early = Date.parse(at) < Date.parse(was.until)
  return [{ event: { kind: 'hold-ended', at, service, early, ...compact({ by }) } }]
}

function isSameHold(one: Hold, other: Hold): boolean {
  return one.by === other.by && one.why === other.why && one.until === other.until
}

/** A host's clock may be wrong, and what it says may be anything. */
function momentOf(claimed: string, heardAt: string): string {
  const moment = Date.parse(claimed)
  return Number.isNaN(moment) || moment > Date.parse(heardAt) ? heardAt : new Date(moment).toISOString()
}
