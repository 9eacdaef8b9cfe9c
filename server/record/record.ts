// record: a report -> rows and transitions, in one database transaction. What is recorded is what changed: a report that says
// the same again leaves no trace.

import { createHash } from 'node:crypto'
import { compact } from '../../shared/compact.ts'
import { covers } from '../../shared/hold.ts'
import type { HostName, ServiceName } from '../../shared/names.ts'
import { type ApplyReport, appliesIn, type Report, type ServiceReport, stateOf } from '../../shared/report.ts'
import { saveFailedApplies, trimFailedApplies } from '../store/failed-applies.ts'
import {
  insertApply,
  insertReportId,
  insertTransitions,
  isReportKnown,
  type Transition,
  trimHistory,
} from '../store/history.ts'
import { insertEndedHold, trimEndedHolds } from '../store/holds.ts'
import { findHost, saveHostReport } from '../store/hosts.ts'
import { insertResourceEvents } from '../store/resource-events.ts'
import {
  deleteFindings,
  deleteServiceStates,
  listServiceStates,
  type ServiceState,
  saveFindings,
  saveServiceStates,
} from '../store/service-states.ts'
import type { Db } from '../store/tables.ts'
import { boundedReport } from './bounded.ts'
import { resourceEvents } from './resource-events.ts'

export type Recorded =
  /** The host was removed: nothing may be recorded of it. */
  | { readonly kind: 'host-unknown' }
  /** This very report, or one that says the same, is recorded already. */
  | { readonly kind: 'nothing-new' }
  /** `rows` of services that were read or written: what it has cost. */
  | { readonly kind: 'recorded'; readonly services: readonly ServiceName[]; readonly rows: number }

export async function recordReport(db: Db, reported: Report, receivedAt: string): Promise<Recorded> {
  const report = boundedReport(reported)
  return db.transaction().execute(async (transaction) => {
    const known = await findHost(transaction, report.host)
    if (known === undefined) return { kind: 'host-unknown' }
    const digest = digestOf(report)
    const saysNothingNew = known.reportDigest === digest && appliesIn(report).length === 0
    if (saysNothingNew || (await isReportKnown(transaction, report.host, report.id))) return { kind: 'nothing-new' }
    const before = await listServiceStates(transaction, { hosts: [report.host] })
    const services = await recordServices(transaction, report, { before, at: receivedAt })
    const said = new Map(before.map((state) => [state.report.service, state.report]))
    await insertResourceEvents(transaction, report.host, resourceEvents(said, report, receivedAt))
    await recordApplies(transaction, report, receivedAt)
    await recordEndedHolds(transaction, report)
    await saveHostReport(transaction, report.host, {
      agentVersion: report.agentVersion,
      platform: report.platform,
      revision: report.revision,
      problems: report.problems,
      reportDigest: digest,
    })
    await insertReportId(transaction, report.host, report.id, receivedAt)
    await trimHistory(transaction, report.host)
    return { kind: 'recorded', services, rows: before.length + services.length }
  })
}

/** Over everything that describes the host, and nothing that only describes the report. */
function digestOf({ agentVersion, platform, revision, services, problems, endedHolds }: Report): string {
  return createHash('sha256')
    .update(JSON.stringify([agentVersion, platform, revision ?? null, services, problems, endedHolds ?? []]))
    .digest('hex')
}

type Known = { readonly before: readonly ServiceState[]; readonly at: string }

async function recordServices(db: Db, report: Report, known: Known): Promise<readonly ServiceName[]> {
  const { at } = known
  const before = new Map(known.before.map((state) => [state.report.service, state]))
  const now = new Map(report.services.map((service) => [service.service, service]))
  const changed = [...now.values()]
    .map((service) => ({ before: before.get(service.service), now: service, at }))
    .filter(isChanged)
  const left = known.before.filter(({ report: { service } }) => !now.has(service))
  const gone = left.map(({ report: { service } }) => service)
  // Few statements, however many services: nothing else of the server runs meanwhile.
  await saveServiceStates(
    db,
    changed.map((step) => stateAfter(report.host, step)),
  )
  for (const step of changed) await recordFindings(db, report.host, step)
  await deleteServiceStates(db, report.host, gone)
  await insertTransitions(db, report.host, [
    ...changed.flatMap(transitionsOf),
    ...left.map(({ state, report: { service } }) => ({ at, service, from: state, to: 'removed' })),
  ])
  return [...changed.map(({ now: { service } }) => service), ...gone]
}

type ServiceStep = { readonly before: ServiceState | undefined; readonly now: ServiceReport; readonly at: string }

function isChanged({ before, now }: ServiceStep): boolean {
  return before === undefined || JSON.stringify(before.report) !== JSON.stringify(sorted(now))
}

function stateAfter(host: HostName, { before, now, at }: ServiceStep) {
  return { host, since: before?.state === stateOf(now) ? before.since : at, report: now }
}

function transitionsOf({ before, now, at }: ServiceStep): readonly Transition[] {
  const about = { at, service: now.service, ...compact({ revision: now.applied }) }
  const state = stateOf(now)
  const from = before === undefined ? {} : { from: before.state }
  const wasHeld = before?.report.hold !== undefined
  return [
    ...(before?.state === state ? [] : [{ ...about, to: state, ...from }]),
    ...(wasHeld === (now.hold !== undefined) ? [] : [{ ...about, to: wasHeld ? 'hold ended' : 'held' }]),
  ]
}

/** In the order and the key order the store gives findings back. */
function sorted(service: ServiceReport): ServiceReport {
  const findings = [...service.findings].sort((one, other) => (one.resource < other.resource ? -1 : 1))
  return { ...service, findings }
}

async function recordFindings(db: Db, host: HostName, { before, now, at }: ServiceStep): Promise<void> {
  const owner = { host, service: now.service }
  const seen = new Map(before?.findings.map((found) => [found.finding.resource, found]))
  const current = new Map(now.findings.map((finding) => [finding.resource, finding]))
  const saved = [...current].flatMap(([resource, finding]) => {
    const known = seen.get(resource)
    const isSame = known !== undefined && JSON.stringify(known.finding) === JSON.stringify(finding)
    return isSame ? [] : { finding, firstSeenAt: known?.firstSeenAt ?? at }
  })
  await saveFindings(db, owner, saved)
  const gone = [...seen.keys()].filter((resource) => !current.has(resource))
  await deleteFindings(db, owner, gone)
}

async function recordApplies(db: Db, report: Report, at: string): Promise<void> {
  for (const apply of appliesIn(report)) {
    if (apply.changes.length === 0 && apply.failed.length === 0) continue
    const isKept = apply.changes.length > 0 || !isFailureTold(report, apply)
    if (isKept && !(await insertApply(db, report.host, apply, at))) continue
    const to = apply.failed.length === 0 ? 'applied' : 'apply failed'
    await insertTransitions(db, report.host, [{ at, to, revision: apply.revision }])
  }
  const failures = report.services.flatMap(({ service, failure }) =>
    failure === undefined ? [] : [{ service, failure, heardAt: at }],
  )
  await saveFailedApplies(db, report.host, failures)
  await trimFailedApplies(db, report.host)
}

/** An apply that changed nothing and failed is one more attempt of what is kept for each service. */
function isFailureTold({ services }: Report, { failed, revision }: ApplyReport): boolean {
  return failed.every((name) =>
    services.some(({ service, failure }) => service === name && failure?.revision === revision),
  )
}

async function recordEndedHolds(db: Db, { host, endedHolds = [], services }: Report): Promise<void> {
  for (const hold of endedHolds) {
    const covered = services.filter(({ service }) => covers(hold.service, service))
    const findings = covered.reduce((sum, service) => sum + service.findings.length, 0)
    const pending = covered.reduce((sum, service) => sum + service.pending.length, 0)
    await insertEndedHold(db, host, hold, { findings, pending })
  }
  if (endedHolds.length > 0) await trimEndedHolds(db, host)
}
