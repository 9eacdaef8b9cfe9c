// Present state of each service of each host, with the time of its last change, and findings with the time each was first seen.
import { z } from 'zod'
import { type Finding, findingSchema } from '../../shared/finding.ts'
import { type HostName, hostNameSchema, type ServiceName, serviceNameSchema } from '../../shared/names.ts'
import {
  factsOf,
  type Hold,
  type ServiceFact,
  type ServiceReport,
  type ServiceStateName,
  serviceFacts,
  serviceReportSchema,
  stateIn,
} from '../../shared/report.ts'
import { fromJson, inStatements } from './rows.ts'
import type { Db } from './tables.ts'

export type SeenFinding = { readonly finding: Finding; readonly firstSeenAt: string }

export type ServiceState = {
  readonly host: HostName
  readonly state: ServiceStateName
  readonly facts: readonly ServiceFact[]
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
      ...statesOf(row),
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
  readonly facts: readonly ServiceFact[]
  readonly since: string
  readonly findings: number
  readonly pending: number
}

/** Cells of all hosts, for the overview. */
export async function listCells(db: Db): Promise<readonly Cell[]> {
  const rows = await db
    .selectFrom('service_states')
    .select(['host', 'service', 'state', 'facts', 'since', 'findings', 'pending'])
    .orderBy('host')
    .orderBy('service')
    .execute()
  return rows.map((row) => ({
    ...row,
    host: hostNameSchema.parse(row.host),
    service: serviceNameSchema.parse(row.service),
    ...statesOf(row),
  }))
}

export type HeldService = { readonly host: HostName; readonly service: ServiceName; readonly hold: Hold }

/** Holds in force, as reported by hosts. */
export async function listHeldServices(db: Db): Promise<readonly HeldService[]> {
  const rows = await db
    .selectFrom('service_states')
    .select(['host', 'body'])
    .where('facts', 'like', '%held%')
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

export async function saveServiceStates(
  db: Db,
  states: readonly Pick<ServiceState, 'host' | 'since' | 'report'>[],
): Promise<void> {
  const rows = states.map(({ host, since, report }) => {
    const facts = factsOf(report)
    return {
      ...{ host, since, service: report.service },
      state: stateIn(facts),
      facts: facts.join(),
      findings: report.findings.length,
      pending: report.pending.length,
      body: JSON.stringify({ ...report, findings: [] }),
    }
  })
  for (const some of inStatements(rows)) {
    await db
      .insertInto('service_states')
      .values(some)
      .onConflict((conflict) =>
        conflict
          .columns(['host', 'service'])
          .doUpdateSet((row) => ({
            since: row.ref('excluded.since'),
            state: row.ref('excluded.state'),
            facts: row.ref('excluded.facts'),
            findings: row.ref('excluded.findings'),
            pending: row.ref('excluded.pending'),
            body: row.ref('excluded.body'),
          }))
          // Findings have rows of their own, so that a changed finding does not rewrite the rest of the service.
          .where((row) =>
            row.or([
              row('service_states.body', '!=', row.ref('excluded.body')),
              row('service_states.facts', '!=', row.ref('excluded.facts')),
              row('service_states.findings', '!=', row.ref('excluded.findings')),
            ]),
          ),
      )
      .execute()
  }
}

export async function deleteServiceStates(db: Db, host: HostName, services: readonly ServiceName[]): Promise<void> {
  for (const some of inStatements(services)) {
    await db.deleteFrom('service_states').where('host', '=', host).where('service', 'in', some).execute()
    await db.deleteFrom('findings').where('host', '=', host).where('service', 'in', some).execute()
  }
}

type Owner = { readonly host: HostName; readonly service: ServiceName }

export async function saveFindings(db: Db, owner: Owner, findings: readonly SeenFinding[]): Promise<void> {
  const rows = findings.map(({ finding, firstSeenAt }) => ({
    ...owner,
    resource: finding.resource,
    first_seen_at: firstSeenAt,
    body: JSON.stringify(finding),
  }))
  for (const some of inStatements(rows)) {
    await db
      .insertInto('findings')
      .values(some)
      .onConflict((conflict) =>
        conflict.columns(['host', 'service', 'resource']).doUpdateSet((row) => ({ body: row.ref('excluded.body') })),
      )
      .execute()
  }
}

export async function deleteFindings(db: Db, owner: Owner, resources: readonly string[]): Promise<void> {
  for (const some of inStatements(resources)) {
    await db
      .deleteFrom('findings')
      .where('host', '=', owner.host)
      .where('service', '=', owner.service)
      .where('resource', 'in', some)
      .execute()
  }
}

const factsSchema = z.array(z.enum(serviceFacts))

/** `state` is the first fact, stored as a column for people who read the table. */
function statesOf(row: { facts: string }): Pick<ServiceState, 'state' | 'facts'> {
  const facts = factsSchema.parse(row.facts === '' ? [] : row.facts.split(','))
  return { state: stateIn(facts), facts }
}

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
