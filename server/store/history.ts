// What happened on a host: transitions, applies, and the ids of reports already recorded. Each is bounded per host, so that no
// host, however busy or hostile, can fill the disk.
import {
  type HostName,
  type Revision,
  revisionSchema,
  type ServiceName,
  serviceNameSchema,
} from '../../shared/names.ts'
import { type ApplyReport, applyResultSchema } from '../../shared/report.ts'
import { fromJson, present } from './rows.ts'
import type { Db } from './tables.ts'

export type Transition = {
  readonly at: string
  readonly service?: ServiceName
  readonly from?: string
  readonly to: string
  readonly revision?: Revision
}

const kept = { reports: 500, transitions: 5000, applies: 200 }

export async function insertTransition(db: Db, host: HostName, transition: Transition): Promise<void> {
  await db
    .insertInto('transitions')
    .values({
      host,
      at: transition.at,
      service: transition.service ?? null,
      from_state: transition.from ?? null,
      to_state: transition.to,
      revision: transition.revision ?? null,
    })
    .execute()
}

/** Newest first. */
export async function listTransitions(db: Db, host: HostName, limit: number): Promise<readonly Transition[]> {
  const rows = await db
    .selectFrom('transitions')
    .selectAll()
    .where('host', '=', host)
    .orderBy('id', 'desc')
    .limit(limit)
    .execute()
  return rows.map((row) => ({
    at: row.at,
    to: row.to_state,
    ...present('from', row.from_state),
    ...present('service', row.service === null ? undefined : serviceNameSchema.parse(row.service)),
    ...present('revision', row.revision === null ? undefined : revisionSchema.parse(row.revision)),
  }))
}

export async function insertApply(db: Db, host: HostName, apply: ApplyReport, receivedAt: string): Promise<void> {
  await db
    .insertInto('applies')
    .values({ host, received_at: receivedAt, body: JSON.stringify(apply) })
    .execute()
}

/** Newest first. */
export async function listApplies(db: Db, host: HostName, limit: number): Promise<readonly ApplyReport[]> {
  const rows = await db
    .selectFrom('applies')
    .select('body')
    .where('host', '=', host)
    .orderBy('id', 'desc')
    .limit(limit)
    .execute()
  return rows.map((row) => fromJson(applyResultSchema, row.body))
}

export async function isReportKnown(db: Db, host: HostName, id: string): Promise<boolean> {
  const row = await db
    .selectFrom('reports')
    .select('id')
    .where('host', '=', host)
    .where('id', '=', id)
    .executeTakeFirst()
  return row !== undefined
}

export async function insertReportId(db: Db, host: HostName, id: string, receivedAt: string): Promise<void> {
  await db.insertInto('reports').values({ host, id, received_at: receivedAt }).execute()
}

/** Forgets what is beyond the bounds. */
export async function trimHistory(db: Db, host: HostName): Promise<void> {
  const oldestReport = await db
    .selectFrom('reports')
    .select('received_at')
    .where('host', '=', host)
    .orderBy('received_at', 'desc')
    .offset(kept.reports)
    .limit(1)
    .executeTakeFirst()
  if (oldestReport !== undefined) {
    await db
      .deleteFrom('reports')
      .where('host', '=', host)
      .where('received_at', '<=', oldestReport.received_at)
      .execute()
  }
  await trimTable(db, 'transitions', host)
  await trimTable(db, 'applies', host)
}

async function trimTable(db: Db, table: 'transitions' | 'applies', host: HostName): Promise<void> {
  const oldest = await db
    .selectFrom(table)
    .select('id')
    .where('host', '=', host)
    .orderBy('id', 'desc')
    .offset(kept[table])
    .limit(1)
    .executeTakeFirst()
  if (oldest !== undefined) await db.deleteFrom(table).where('host', '=', host).where('id', '<=', oldest.id).execute()
}
