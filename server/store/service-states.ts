// What each service of each host is now, since when, and its findings with the time each was first seen.
import { z } from 'zod'
import { type Finding, findingSchema } from '../../shared/finding.ts'
import { type HostName, hostNameSchema, type ServiceName, serviceNameSchema } from '../../shared/names.ts'
import { type Hold, type ServiceReport, type ServiceStateName, serviceReportSchema } from '../../shared/report.ts'
import { fromJson } from './rows.ts'
import type { Db } from './tables.ts'

export type SeenFinding = { readonly finding: Finding; readonly firstSeenAt: string }

export type ServiceState = {
  readonly host: HostName
  readonly state: ServiceStateName
  readonly since: string
  readonly report: ServiceReport
  readonly findings: readonly SeenFinding[]
}

export type StateFilter = { readonly hosts?: readonly HostName[]; readonly service?: ServiceName }

export async function listServiceStates(db: Db, filter: StateFilter = {}): Promise<readonly ServiceState[]> {
  const findings = await findingsByService(db, filter)
  let query = db.selectFrom('service_states').selectAll().orderBy('host').orderBy('service')
  if (filter.hosts !== undefined) query = query.where('host', 'in', [...filter.hosts])
  if (filter.service !== undefined) query = query.where('service', '=', filter.service)
  const rows = await query.execute()
  return rows.map((row) => {
    const seen = findings.get(keyOf(row)) ?? []
    const report = fromJson(serviceReportSchema, row.body)
    return {
      host: hostNameSchema.parse(row.host),
      state: stateNameSchema.parse(row.state),
      since: row.since,
      report: { ...report, findings: seen.map(({ finding }) => finding) },
      findings: seen,
    }
  })
}

export type Cell = {
  readonly host: HostName
  readonly service: ServiceName
  readonly state: ServiceStateName
  readonly since: string
  readonly findings: number
  readonly pending: number
}

/** Every host's services at a glance. */
export async function listCells(db: Db): Promise<readonly Cell[]> {
  const rows = await db
    .selectFrom('service_states')
    .select(['host', 'service', 'state', 'since', 'findings', 'pending'])
    .orderBy('host')
    .orderBy('service')
    .execute()
  return rows.map((row) => ({
    ...row,
    host: hostNameSchema.parse(row.host),
    service: serviceNameSchema.parse(row.service),
    state: stateNameSchema.parse(row.state),
  }))
}

export type HeldService = { readonly host: HostName; readonly service: ServiceName; readonly hold: Hold }

/** What hosts say they hold now. A failed service may be held too. */
export async function listHeldServices(db: Db): Promise<readonly HeldService[]> {
  const rows = await db
    .selectFrom('service_states')
    .select(['host', 'body'])
    .where('state', 'in', ['held', 'failed'])
    .orderBy('host')
    .orderBy('service')
    .execute()
  return rows.flatMap((row) => {
    const { service, hold } = fromJson(serviceReportSchema, row.body)
    return hold === undefined ? [] : [{ host: hostNameSchema.parse(row.host), service, hold }]
  })
}

export async function findFinding(db: Db, host: HostName, resource: string): Promise<FoundFinding | undefined> {
  const row = await db
    .selectFrom('findings')
    .selectAll()
    .where('host', '=', host)
    .where('resource', '=', resource)
    .executeTakeFirst()
  if (row === undefined) return undefined
  return {
    service: serviceNameSchema.parse(row.service),
    finding: fromJson(findingSchema, row.body),
    firstSeenAt: row.first_seen_at,
  }
}

export type FoundFinding = SeenFinding & { readonly service: ServiceName }

export async function saveServiceState(db: Db, state: Omit<ServiceState, 'findings'>): Promise<void> {
  const row = {
    host: state.host,
    service: state.report.service,
    state: state.state,
    since: state.since,
    findings: state.report.findings.length,
    pending: state.report.pending.length,
    body: JSON.stringify({ ...state.report, findings: [] }),
  }
  const { host: _host, service: _service, ...said } = row
  await db
    .insertInto('service_states')
    .values(row)
    .onConflict((conflict) => conflict.columns(['host', 'service']).doUpdateSet(said))
    .execute()
}

export async function deleteServiceState(db: Db, host: HostName, service: ServiceName): Promise<void> {
  await db.deleteFrom('service_states').where('host', '=', host).where('service', '=', service).execute()
  await db.deleteFrom('findings').where('host', '=', host).where('service', '=', service).execute()
}

export async function saveFinding(
  db: Db,
  owner: { readonly host: HostName; readonly service: ServiceName },
  { finding, firstSeenAt }: SeenFinding,
): Promise<void> {
  const body = JSON.stringify(finding)
  await db
    .insertInto('findings')
    .values({ ...owner, resource: finding.resource, first_seen_at: firstSeenAt, body })
    .onConflict((conflict) => conflict.columns(['host', 'service', 'resource']).doUpdateSet({ body }))
    .execute()
}

export async function deleteFinding(
  db: Db,
  owner: { readonly host: HostName; readonly service: ServiceName },
  resource: string,
): Promise<void> {
  await db
    .deleteFrom('findings')
    .where('host', '=', owner.host)
    .where('service', '=', owner.service)
    .where('resource', '=', resource)
    .execute()
}

const stateNameSchema = z.enum(['in-plumb', 'pending', 'drift', 'failed', 'held'])

async function findingsByService(db: Db, filter: StateFilter): Promise<ReadonlyMap<string, readonly SeenFinding[]>> {
  let query = db.selectFrom('findings').selectAll().orderBy('resource')
  if (filter.hosts !== undefined) query = query.where('host', 'in', [...filter.hosts])
  if (filter.service !== undefined) query = query.where('service', '=', filter.service)
  const grouped = new Map<string, SeenFinding[]>()
  for (const row of await query.execute()) {
    const seen = { finding: fromJson(findingSchema, row.body), firstSeenAt: row.first_seen_at }
    const group = grouped.get(keyOf(row))
    if (group === undefined) grouped.set(keyOf(row), [seen])
    else group.push(seen)
  }
  return grouped
}

function keyOf(row: { host: string; service: string }): string {
  return `${row.host}\n${row.service}`
}
