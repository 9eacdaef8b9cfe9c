// record: a report -> rows and transitions, in one database transaction. What is recorded is what changed: a report that says
// the same again leaves no trace.
import { createHash } from 'node:crypto'
import { covers } from '../../shared/hold.ts'
import type { HostName, ServiceName } from '../../shared/names.ts'
import { type Report, type ServiceReport, type ServiceStateName, stateOf } from '../../shared/report.ts'
import { insertApply, insertReportId, insertTransition, isReportKnown, trimHistory } from '../store/history.ts'
import { insertEndedHold, trimEndedHolds } from '../store/holds.ts'
import { findHost, saveWhatHostSaid } from '../store/hosts.ts'
import { insertResourceEvents } from '../store/resource-events.ts'
import {
  deleteFinding,
  deleteServiceState,
  listServiceStates,
  type ServiceState,
  saveFinding,
  saveServiceState,
} from '../store/service-states.ts'
import type { Db } from '../store/tables.ts'
import { resourceEvents } from './resource-events.ts'

export type Recorded =
  /** The host was removed: nothing may be recorded of it. */
  | { readonly kind: 'host-unknown' }
  /** This very report, or one that says the same, is recorded already. */
  | { readonly kind: 'nothing-new' }
  | { readonly kind: 'recorded'; readonly services: readonly ServiceName[] }

export async function recordReport(db: Db, report: Report, receivedAt: string): Promise<Recorded> {
  return db.transaction().execute(async (transaction) => {
    const known = await findHost(transaction, report.host)
    if (known === undefined) return { kind: 'host-unknown' }
    const digest = digestOf(report)
    const saysNothingNew = known.reportDigest === digest && report.apply === undefined
    if (saysNothingNew || (await isReportKnown(transaction, report.host, report.id))) return { kind: 'nothing-new' }
    const before = await listServiceStates(transaction, { hosts: [report.host] })
    const services = await recordServices(transaction, report, { before, at: receivedAt })
    const said = new Map(before.map((state) => [state.report.service, state.report]))
    await insertResourceEvents(transaction, report.host, resourceEvents(said, report, receivedAt))
    await recordApply(transaction, report, receivedAt)
    await recordEndedHolds(transaction, report)
    await saveWhatHostSaid(transaction, report.host, {
      agentVersion: report.agentVersion,
      platform: report.platform,
      revision: report.revision,
      problems: report.problems,
      reportDigest: digest,
    })
    await insertReportId(transaction, report.host, report.id, receivedAt)
    await trimHistory(transaction, report.host)
    return { kind: 'recorded', services }
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
  const changed: ServiceName[] = []
  for (const service of now.values()) {
    if (await recordService(db, report.host, { before: before.get(service.service), now: service, at })) {
      changed.push(service.service)
    }
  }
  for (const [service, { state }] of before) {
    if (now.has(service)) continue
    await deleteServiceState(db, report.host, service)
    await insertTransition(db, report.host, { at, service, from: state, to: 'removed' })
    changed.push(service)
  }
  return changed
}

type ServiceStep = { readonly before: ServiceState | undefined; readonly now: ServiceReport; readonly at: string }

async function recordService(db: Db, host: HostName, { before, now, at }: ServiceStep): Promise<boolean> {
  if (before !== undefined && JSON.stringify(before.report) === JSON.stringify(sorted(now))) return false
  const state: ServiceStateName = stateOf(now)
  const since = before?.state === state ? before.since : at
  await saveServiceState(db, { host, state, since, report: now })
  await recordFindings(db, host, { before, now, at })
  if (before?.state !== state) {
    const from = before === undefined ? {} : { from: before.state }
    const revision = now.applied === undefined ? {} : { revision: now.applied }
    await insertTransition(db, host, { at, service: now.service, to: state, ...from, ...revision })
  }
  return true
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
  for (const [resource, finding] of current) {
    const known = seen.get(resource)
    if (known !== undefined && JSON.stringify(known.finding) === JSON.stringify(finding)) continue
    await saveFinding(db, owner, { finding, firstSeenAt: known?.firstSeenAt ?? at })
  }
  for (const resource of seen.keys()) {
    if (!current.has(resource)) await deleteFinding(db, owner, resource)
  }
}

async function recordApply(db: Db, report: Report, at: string): Promise<void> {
  const { apply } = report
  if (apply === undefined || (apply.changes.length === 0 && apply.failed.length === 0)) return
  await insertApply(db, report.host, apply, at)
  const to = apply.failed.length === 0 ? 'applied' : 'apply failed'
  await insertTransition(db, report.host, { at, to, revision: apply.revision })
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
