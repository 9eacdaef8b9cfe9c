// Holds made by operators, kept for as long as hosts need them, and ended holds as reported by hosts.
import type { Selectable } from 'kysely'
import { z } from 'zod'
import { type HoldTarget, holdTargetSchema, type ServerHold } from '../../shared/hold.ts'
import { type HostName, hostNameSchema } from '../../shared/names.ts'
import type { EndedHold } from '../../shared/report.ts'
import { fromJson, present } from './rows.ts'
import type { Db, Tables } from './tables.ts'

export type StoredHold = ServerHold & {
  /** Names and patterns. */
  readonly hosts: readonly string[]
  /** Hosts for which the hold was released. */
  readonly excludedHosts: readonly HostName[]
}

/** Holds that end after `since`; oldest first. */
export async function listHolds(db: Db, since: string): Promise<readonly StoredHold[]> {
  const rows = await db
    .selectFrom('holds')
    .selectAll()
    .where('until', '>', since)
    .orderBy('since')
    .orderBy('id')
    .execute()
  return rows.map(storedHold)
}

export async function findHold(db: Db, id: string): Promise<StoredHold | undefined> {
  const row = await db.selectFrom('holds').selectAll().where('id', '=', id).executeTakeFirst()
  return row === undefined ? undefined : storedHold(row)
}

export async function insertHold(db: Db, { excludedHosts, hosts, ...hold }: StoredHold): Promise<void> {
  await db
    .insertInto('holds')
    .values({ ...hold, hosts: JSON.stringify(hosts), but_not: JSON.stringify(excludedHosts) })
    .execute()
}

export async function saveExcludedHosts(db: Db, id: string, excludedHosts: readonly HostName[]): Promise<void> {
  await db
    .updateTable('holds')
    .set({ but_not: JSON.stringify(excludedHosts) })
    .where('id', '=', id)
    .execute()
}

export async function deleteHold(db: Db, id: string): Promise<void> {
  await db.deleteFrom('holds').where('id', '=', id).execute()
}

export async function forgetHolds(db: Db, endedBefore: string): Promise<void> {
  await db.deleteFrom('holds').where('until', '<', endedBefore).execute()
}

/** How many differences the covered services had. */
export type Behind = { readonly findings: number; readonly pending: number }

export type RecordedEnd = EndedHold &
  Behind & {
    readonly host: HostName
    readonly notified: boolean
  }

/** An end that is already recorded stays unchanged. */
export async function insertEndedHold(db: Db, host: HostName, hold: EndedHold, behind: Behind): Promise<void> {
  const { service, since, until, by, why } = hold
  await db
    .insertInto('ended_holds')
    .values({
      ...{ host, service, since, until, by, why, ...behind },
      hold: hold.id ?? null,
      released_by: hold.releasedBy ?? null,
      told: 0,
    })
    .onConflict((conflict) => conflict.columns(['host', 'service', 'since', 'until']).doNothing())
    .execute()
}

export async function listEndedHolds(db: Db, hosts: readonly HostName[]): Promise<readonly RecordedEnd[]> {
  const all = db
    .selectFrom('ended_holds')
    .selectAll()
    .where('host', 'in', [...hosts])
  const rows = await all.orderBy('host').orderBy('until').orderBy('service').execute()
  return rows.map((row) => ({
    host: hostNameSchema.parse(row.host),
    service: target(row.service),
    ...{ since: row.since, until: row.until, by: row.by, why: row.why },
    ...{ findings: row.findings, pending: row.pending, notified: row.told === 1 },
    ...present('id', row.hold),
    ...present('releasedBy', row.released_by),
  }))
}

export type Release = { readonly host: HostName; readonly id: string; readonly releasedBy: string }

/** Holds of the server that were released on hosts. */
export async function listReleases(db: Db, ids: readonly string[]): Promise<readonly Release[]> {
  const rows = await db
    .selectFrom('ended_holds')
    .select(['host', 'hold', 'released_by'])
    .where('hold', 'in', [...ids])
    .where('released_by', 'is not', null)
    .execute()
  return rows.map((row) => ({
    host: hostNameSchema.parse(row.host),
    id: row.hold ?? '',
    releasedBy: row.released_by ?? '',
  }))
}

export async function markEndsNotified(db: Db, hosts: readonly HostName[]): Promise<void> {
  await db
    .updateTable('ended_holds')
    .set({ told: 1 })
    .where('host', 'in', [...hosts])
    .where('told', '=', 0)
    .execute()
}

const endsKept = 200

/** Keeps the newest of a host, so that a hostile host cannot fill the disk. */
export async function trimEndedHolds(db: Db, host: HostName): Promise<void> {
  const own = db.selectFrom('ended_holds').where('host', '=', host)
  const oldest = await own.select('until').orderBy('until', 'desc').offset(endsKept).limit(1).executeTakeFirst()
  if (oldest === undefined) return
  await db.deleteFrom('ended_holds').where('host', '=', host).where('until', '<=', oldest.until).execute()
}

function storedHold(row: Selectable<Tables['holds']>): StoredHold {
  const { id, by, why, since, until } = row
  const hosts = fromJson(z.array(z.string()), row.hosts)
  return {
    id,
    service: target(row.service),
    by,
    why,
    since,
    until,
    hosts,
    excludedHosts: fromJson(z.array(hostNameSchema), row.but_not),
  }
}

function target(text: string): HoldTarget {
  return holdTargetSchema.parse(text)
}
