// What is still to be told: channels as plumb.yaml has them now, and messages that wait for delivery.
import { z } from 'zod'
import type { Db } from './tables.ts'

export type Channel = {
  readonly key: string
  /** JSON, for notify/ to read. */
  readonly body: string
  readonly attempts: number
  readonly nextAttemptAt: string
  readonly lastError?: string
}

export type Waiting = {
  readonly id: number
  readonly alert: number
  readonly event: string
  readonly body: string
  readonly createdAt: string
}

export type NewMessage = {
  readonly channel: string
  readonly alert: number
  readonly event: string
  readonly body: string
  readonly createdAt: string
  readonly dueAt: string
}

export async function listChannels(db: Db): Promise<readonly Channel[]> {
  const rows = await db.selectFrom('channels').selectAll().orderBy('key').execute()
  return rows.map((row) => ({
    key: row.key,
    body: row.body,
    attempts: row.attempts,
    nextAttemptAt: row.next_attempt_at,
    ...(row.last_error === null ? {} : { lastError: row.last_error }),
  }))
}

export async function insertChannel(db: Db, key: string, body: string, at: string): Promise<void> {
  await db.insertInto('channels').values({ key, body, added_at: at, attempts: 0, next_attempt_at: at }).execute()
}

/** What still waited for it goes with it. */
export async function deleteChannel(db: Db, key: string): Promise<void> {
  await db.deleteFrom('channels').where('key', '=', key).execute()
}

export async function saveAttempts(
  db: Db,
  key: string,
  attempt: { readonly attempts: number; readonly nextAttemptAt: string; readonly error: string | null },
): Promise<void> {
  await db
    .updateTable('channels')
    .set({ attempts: attempt.attempts, next_attempt_at: attempt.nextAttemptAt, last_error: attempt.error })
    .where('key', '=', key)
    .execute()
}

export async function insertMessage(db: Db, message: NewMessage): Promise<void> {
  await db
    .insertInto('outbox')
    .values({
      channel: message.channel,
      alert: message.alert,
      event: message.event,
      body: message.body,
      created_at: message.createdAt,
      due_at: message.dueAt,
    })
    .execute()
}

/** Gives a waiting message another body; false when none waits. */
export async function replaceMessage(db: Db, message: NewMessage): Promise<boolean> {
  const replaced = await db
    .updateTable('outbox')
    .set({ body: message.body })
    .where('channel', '=', message.channel)
    .where('alert', '=', message.alert)
    .where('event', '=', message.event)
    .executeTakeFirst()
  return replaced.numUpdatedRows > 0n
}

export async function deleteMessages(db: Db, alert: number, event: string): Promise<void> {
  await db.deleteFrom('outbox').where('alert', '=', alert).where('event', '=', event).execute()
}

/** The oldest message that is due: a channel gets its messages in the order things happened. */
export async function nextMessage(db: Db, channel: string, now: string): Promise<Waiting | undefined> {
  const row = await db
    .selectFrom('outbox')
    .selectAll()
    .where('channel', '=', channel)
    .where('due_at', '<=', now)
    .orderBy('id')
    .limit(1)
    .executeTakeFirst()
  if (row === undefined) return undefined
  return { id: row.id, alert: row.alert, event: row.event, body: row.body, createdAt: row.created_at }
}

/** Only as it was sent: a message whose body was replaced meanwhile stays and is sent again. */
export async function deleteSent(db: Db, sent: Waiting): Promise<void> {
  await db.deleteFrom('outbox').where('id', '=', sent.id).where('body', '=', sent.body).execute()
}

export async function countWaiting(db: Db): Promise<number> {
  const row = await db
    .selectFrom('outbox')
    .select((table) => table.fn.countAll().as('waiting'))
    .executeTakeFirstOrThrow()
  return z.coerce.number().parse(row.waiting)
}
