// Failed applies: one row per host, service and revision, however many attempts there were. Bounded per host.

import { type HostName, hostNameSchema, type ServiceName, serviceNameSchema } from '../../shared/names.ts'
import { type Failure, failureSchema } from '../../shared/report.ts'
import { bounds } from '../allowance/bounds.ts'
import { fromJson } from './rows.ts'
import type { Db } from './tables.ts'

export type FailedApply = {
  readonly host: HostName
  readonly service: ServiceName
  /** ISO 8601, when the server first heard of it. */
  readonly firstAt: string
  /** Failure of the latest attempt. */
  readonly failure: Failure
}

export type HeardFailure = { readonly service: ServiceName; readonly failure: Failure; readonly heardAt: string }

/** Excess failures beyond the limit are dropped. */
export async function saveFailedApplies(db: Db, host: HostName, failures: readonly HeardFailure[]): Promise<void> {
  const rows = failures.slice(0, bounds.failedApplies.limit).map(({ service, failure, heardAt }) => ({
    ...{ host, service, revision: failure.revision },
    ...{ first_at: heardAt, last_at: heardAt, body: JSON.stringify(failure) },
  }))
  if (rows.length === 0) return
  await db
    .insertInto('failed_applies')
    .values(rows)
    .onConflict((conflict) =>
      conflict
        .columns(['host', 'service', 'revision'])
        .doUpdateSet((row) => ({ last_at: row.ref('excluded.last_at'), body: row.ref('excluded.body') })),
    )
    .execute()
}

/** The latest first. */
export async function listFailedApplies(db: Db, host: HostName, limit: number): Promise<readonly FailedApply[]> {
  const rows = await db
    .selectFrom('failed_applies')
    .selectAll()
    .where('host', '=', host)
    .orderBy('last_at', 'desc')
    .orderBy('service')
    .limit(limit)
    .execute()
  return rows.map((row) => ({
    host: hostNameSchema.parse(row.host),
    service: serviceNameSchema.parse(row.service),
    firstAt: row.first_at,
    failure: fromJson(failureSchema, row.body),
  }))
}

/** Forgets the oldest beyond the bound. */
export async function trimFailedApplies(db: Db, host: HostName): Promise<void> {
  const oldest = await db
    .selectFrom('failed_applies')
    .select('last_at')
    .where('host', '=', host)
    .orderBy('last_at', 'desc')
    .offset(bounds.failedApplies.limit)
    .limit(1)
    .executeTakeFirst()
  if (oldest === undefined) return
  await db.deleteFrom('failed_applies').where('host', '=', host).where('last_at', '<=', oldest.last_at).execute()
}
