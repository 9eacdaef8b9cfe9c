// Deletes the oldest rows of a host beyond a count or a size.
import { type SelectQueryBuilder, sql } from 'kysely'
import type { HostName } from '../../shared/names.ts'
import type { Db, Tables } from './tables.ts'

type History = {
  readonly table: 'transitions' | 'applies' | 'resource_events'
  readonly host: HostName
  readonly limit: number
}

export async function trimRows(db: Db, { table, host, limit }: History): Promise<void> {
  const oldest = await db
    .selectFrom(table)
    .select('id')
    .where('host', '=', host)
    .orderBy('id', 'desc')
    .offset(limit)
    .limit(1)
    .executeTakeFirst()
  if (oldest !== undefined) await db.deleteFrom(table).where('host', '=', host).where('id', '<=', oldest.id).execute()
}

type Bodied = History & { readonly table: 'applies' | 'resource_events' }

export async function trimBytes(db: Db, history: Bodied): Promise<void> {
  const { table, host } = history
  await db.deleteFrom(table).where('host', '=', host).where('id', 'not in', newestWithin(db, history)).execute()
}

const applySize = sql`length(body)`
const eventSize = sql`length(body) + ifnull(length(resource), 0) + ifnull(length(source), 0)`

/** Ids of the newest rows that together have at most `limit` characters. */
export function newestWithin(
  db: Db,
  { table, host, limit }: Bodied,
): SelectQueryBuilder<Tables & { summed: { id: number; size: number } }, 'summed', { id: number }> {
  const size = sql<number>`sum(${table === 'applies' ? applySize : eventSize}) over (order by id desc)`.as('size')
  const summed = db.selectFrom(table).select(['id', size]).where('host', '=', host)
  return db.selectFrom(summed.as('summed')).select('id').where('size', '<=', limit)
}
