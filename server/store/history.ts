// History of a host: transitions, applies, and ids of recorded reports. Each is bounded per host, so that no busy or
// hostile host can fill the disk.
import { z } from 'zod'
import {
  type HostName,
  type Revision,
  revisionSchema,
  type ServiceName,
  serviceNameSchema,
} from '../../shared/names.ts'
import { type ApplyReport, applyResultSchema } from '../../shared/report.ts'
import { bounds } from '../allowance/bounds.ts'
import { fromJson, inStatements, present } from './rows.ts'
import type { Db } from './tables.ts'
import { newestWithin, trimBytes, trimRows } from './trim.ts'

export type Transition = {
  readonly at: string
  readonly service?: ServiceName
  readonly from?: string
  readonly to: string
  readonly revision?: Revision
}

export async function insertTransitions(db: Db, host: HostName, transitions: readonly Transition[]): Promise<void> {
  const rows = transitions.map((transition) => ({
    host,
    at: transition.at,
    service: transition.service ?? null,
    from_state: transition.from ?? null,
    to_state: transition.to,
    revision: transition.revision ?? null,
  }))
  for (const some of inStatements(rows)) await db.insertInto('transitions').values(some).execute()
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

/** `changes` holds the first changes; `changesLeftOut` counts the rest. */
export const keptApplySchema = applyResultSchema.extend({ changesLeftOut: z.number().int().positive().exactOptional() })

export type KeptApply = z.infer<typeof keptApplySchema>

/** False when the same apply is already recorded, from an earlier report. */
export async function insertApply(db: Db, host: HostName, apply: ApplyReport, receivedAt: string): Promise<boolean> {
  const changes = apply.changes.slice(0, bounds.changesPerApply.limit)
  const changesLeftOut = apply.changes.length - changes.length
  const kept: KeptApply = { ...apply, changes, ...(changesLeftOut === 0 ? {} : { changesLeftOut }) }
  const body = JSON.stringify(kept)
  const known = await db
    .selectFrom('applies')
    .select('id')
    .where('host', '=', host)
    .where('body', '=', body)
    .executeTakeFirst()
  if (known !== undefined) return false
  await db.insertInto('applies').values({ host, received_at: receivedAt, body }).execute()
  return true
}

/** Newest first; at most `limit`, and at most the bound per host. */
export async function listApplies(db: Db, host: HostName, limit: number): Promise<readonly KeptApply[]> {
  const rows = await db
    .selectFrom('applies')
    .select('body')
    .where('id', 'in', newestWithin(db, { table: 'applies', host, limit: bounds.applyBytes.limit }))
    .orderBy('id', 'desc')
    .limit(limit)
    .execute()
  return rows.map((row) => fromJson(keptApplySchema, row.body))
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

/** Deletes rows beyond the bounds. */
export async function trimHistory(db: Db, host: HostName): Promise<void> {
  const oldestReport = await db
    .selectFrom('reports')
    .select('received_at')
    .where('host', '=', host)
    .orderBy('received_at', 'desc')
    .offset(bounds.reportIds.limit)
    .limit(1)
    .executeTakeFirst()
  if (oldestReport !== undefined) {
    await db
      .deleteFrom('reports')
      .where('host', '=', host)
      .where('received_at', '<=', oldestReport.received_at)
      .execute()
  }
  await trimRows(db, { table: 'transitions', host, limit: bounds.transitions.limit })
  await trimRows(db, { table: 'applies', host, limit: bounds.applies.limit })
  await trimBytes(db, { table: 'applies', host, limit: bounds.applyBytes.limit })
}
