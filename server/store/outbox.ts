// The outbox: channels of the present plumb.yaml, and messages queued for delivery.

import { randomUUID } from 'node:crypto'
import type { Selectable } from 'kysely'
import { z } from 'zod'
import { compact } from '../../shared/compact.ts'
import { present } from './rows.ts'
import type { Db, Tables } from './tables.ts'

export type Channel = {
  readonly key: string
  /** JSON, parsed by notify/. */
  readonly body: string
  /** Failed attempts since the last delivery. */
  readonly attempts: number
  readonly nextAttemptAt: string
  readonly failingSince?: string
  readonly lastError?: string
}

export type Waiting = {
  readonly alert: number
  readonly event: string
  readonly body: string
  /** Identifies this body of this message; never reused. */
  readonly delivery: string
  /** Failed attempts. */
  readonly attempts: number
  readonly error?: string
  /** The receiver rejected the message. */
  readonly isRefused: boolean
}

/**
 * Messages sent by one POST: same event, same cause, same kind of end. `title` is that of the cause, empty for a single
 * message.
 */
export type Batch = { readonly messages: readonly [Waiting, ...Waiting[]]; readonly title: string }

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
    ...present('failingSince', row.failing_since),
    ...present('lastError', row.last_error),
  }))
}

export async function insertChannel(db: Db, key: string, body: string, at: string): Promise<void> {
  await db.insertInto('channels').values({ key, body, added_at: at, attempts: 0, next_attempt_at: at }).execute()
}

/** Deletes its queued messages too. */
export async function deleteChannel(db: Db, key: string): Promise<void> {
  await db.deleteFrom('channels').where('key', '=', key).execute()
}

export type FailedChannel = {
  readonly attempts: number
  readonly nextAttemptAt: string
  readonly failingSince: string
  readonly error: string
}

export async function saveChannelFailed(db: Db, key: string, failed: FailedChannel): Promise<void> {
  await db
    .updateTable('channels')
    .set({
      attempts: failed.attempts,
      next_attempt_at: failed.nextAttemptAt,
      failing_since: failed.failingSince,
      last_error: failed.error,
    })
    .where('key', '=', key)
    .execute()
}

/** Makes the channel due at once, whatever the clock says. */
export async function saveChannelWorks(db: Db, key: string): Promise<void> {
  await db
    .updateTable('channels')
    .set({ attempts: 0, next_attempt_at: '', failing_since: null, last_error: null })
    .where('key', '=', key)
    .execute()
}

export async function insertMessage(db: Db, message: NewMessage): Promise<void> {
  const { channel, alert, event, body, createdAt, dueAt } = message
  const times = { created_at: createdAt, due_at: dueAt }
  await db
    .insertInto('outbox')
    .values({ channel, alert, event, body, delivery: randomUUID(), attempts: 0, refused: 0, ...times })
    .execute()
}

/** Replaces the body of a queued message; false when none is queued. */
export async function replaceMessage(
  db: Db,
  { channel, alert, event, body }: Omit<NewMessage, 'createdAt' | 'dueAt'>,
): Promise<boolean> {
  const replaced = await db
    .updateTable('outbox')
    .set({ body, delivery: randomUUID() })
    .where('channel', '=', channel)
    .where('alert', '=', alert)
    .where('event', '=', event)
    .executeTakeFirst()
  return replaced.numUpdatedRows > 0n
}

export async function deleteMessages(
  db: Db,
  { channel, alert, events }: { readonly channel: string; readonly alert: number; readonly events: readonly string[] },
): Promise<void> {
  await db
    .deleteFrom('outbox')
    .where('channel', '=', channel)
    .where('alert', '=', alert)
    .where('event', 'in', [...events])
    .execute()
}

/** Messages are due up to `now`, and beyond any possible wait: those were queued before the clock was set back. */
export type Due = { readonly now: string; readonly beyond: string }

/**
 * The oldest due message, with all others of the same event and cause. Messages that failed `asideAfter` times come last, or in
 * order of attempts when `leastTriedFirst`. At most one message per alert is queued, so that none overtakes another.
 */
export async function nextBatch(
  db: Db,
  channel: string,
  order: Due & { readonly asideAfter: number; readonly leastTriedFirst: boolean },
): Promise<Batch | undefined> {
  const { now, beyond, asideAfter, leastTriedFirst } = order
  const own = db.selectFrom('outbox').where('channel', '=', channel)
  const waiting = own.where((row) => row.or([row('due_at', '<=', now), row('due_at', '>', beyond)]))
  const ordered = leastTriedFirst
    ? waiting.orderBy('attempts')
    : waiting.orderBy((row) => row.case().when('attempts', '<', asideAfter).then(0).else(1).end())
  const first = await ordered.orderBy('id').select('id').limit(1).executeTakeFirst()
  if (first === undefined) return undefined
  const row = await db.selectFrom('outbox').selectAll().where('id', '=', first.id).executeTakeFirstOrThrow()
  const { others, title } = await waitingWith(db, channel, row)
  return { messages: [waitingMessage(row), ...others], title }
}

/** Bounds the statement and the message. */
const mergedLimit = 500

/** Not all of them have to be due: the first one is. */
async function waitingWith(db: Db, channel: string, first: Selectable<Tables['outbox']>) {
  const cause = await db
    .selectFrom('alerts')
    .select(['common_key', 'common_title', 'end_reason'])
    .where('id', '=', first.alert)
    .executeTakeFirst()
  if (cause === undefined || cause.common_key === null) return { others: [], title: '' }
  const rows = await db
    .selectFrom('outbox')
    .innerJoin('alerts', 'alerts.id', 'outbox.alert')
    .selectAll('outbox')
    .where('outbox.channel', '=', channel)
    .where('outbox.event', '=', first.event)
    .where('outbox.id', '!=', first.id)
    .where('alerts.common_key', '=', cause.common_key)
    .where('alerts.end_reason', 'is', cause.end_reason)
    .orderBy('outbox.id')
    .limit(mergedLimit)
    .execute()
  return { others: rows.map(waitingMessage), title: cause.common_title ?? '' }
}

function waitingMessage(row: Selectable<Tables['outbox']>): Waiting {
  const { alert, event, body, delivery, attempts, error } = row
  return { alert, event, body, delivery, attempts, ...present('error', error), isRefused: row.refused === 1 }
}

export type FailedMessages = {
  readonly attempts: number
  readonly error: string
  readonly isRefused: boolean
  readonly dueAt?: string
}

export async function saveMessagesFailed(db: Db, sent: readonly Waiting[], failed: FailedMessages): Promise<void> {
  const { attempts, error, isRefused, dueAt } = failed
  await db
    .updateTable('outbox')
    .set({ attempts, error, refused: isRefused ? 1 : 0, ...compact({ due_at: dueAt }) })
    .where('delivery', 'in', deliveriesOf(sent))
    .execute()
}

/**
 * Deletes delivered messages. A message whose body was replaced meanwhile stays as an update, because the channel now has the
 * alert.
 */
export async function saveDelivered(db: Db, channel: string, sent: readonly Waiting[]): Promise<void> {
  const alerts = sent.map(({ alert }) => alert)
  await db.deleteFrom('outbox').where('delivery', 'in', deliveriesOf(sent)).execute()
  await db
    .insertInto('told_alerts')
    .columns(['channel', 'alert'])
    .expression((query) =>
      query
        .selectFrom(['channels', 'alerts'])
        .select(['channels.key', 'alerts.id'])
        .where('channels.key', '=', channel)
        .where('alerts.id', 'in', alerts),
    )
    .onConflict((conflict) => conflict.doNothing())
    .execute()
  await db
    .updateTable('outbox')
    .set({ event: 'updated' })
    .where('channel', '=', channel)
    .where('event', '=', 'opened')
    .where('alert', 'in', alerts)
    .execute()
}

function deliveriesOf(sent: readonly Waiting[]): string[] {
  return sent.map(({ delivery }) => delivery)
}

export async function isNotified(db: Db, channel: string, alert: number): Promise<boolean> {
  const row = await db
    .selectFrom('told_alerts')
    .select('alert')
    .where('channel', '=', channel)
    .where('alert', '=', alert)
    .executeTakeFirst()
  return row !== undefined
}

/** Number of queued messages about a host, or about the fleet. */
export async function countWaitingOf(db: Db, channel: string, host: string | null): Promise<number> {
  const row = await db
    .selectFrom('outbox')
    .innerJoin('alerts', 'alerts.id', 'outbox.alert')
    .select((table) => table.fn.countAll<number>().as('waiting'))
    .where('outbox.channel', '=', channel)
    .where('alerts.host', 'is', host)
    .executeTakeFirstOrThrow()
  return row.waiting
}

/** Open alerts that the channel never got and that have no queued message, because the outbox was full. */
export async function listUnqueuedAlerts(db: Db, channel: string): Promise<readonly number[]> {
  const rows = await db
    .selectFrom('alerts')
    .select('id')
    .where('open_cause', 'is not', null)
    .where('id', 'not in', (query) => query.selectFrom('told_alerts').select('alert').where('channel', '=', channel))
    .where('id', 'not in', (query) => query.selectFrom('outbox').select('alert').where('channel', '=', channel))
    .orderBy('id')
    .execute()
  return rows.map(({ id }) => id)
}

/** The resolved ones of these alerts whose end has no queued message, because they resolved during the attempt. */
export async function listUnqueuedEnds(db: Db, channel: string, alerts: readonly number[]): Promise<readonly number[]> {
  const rows = await db
    .selectFrom('alerts')
    .select('id')
    .where('id', 'in', [...alerts])
    .where('open_cause', 'is', null)
    .where('id', 'in', (query) => query.selectFrom('told_alerts').select('alert').where('channel', '=', channel))
    .where('id', 'not in', (query) => query.selectFrom('outbox').select('alert').where('channel', '=', channel))
    .orderBy('id')
    .execute()
  return rows.map(({ id }) => id)
}

export type Stuck = { readonly createdAt: string; readonly error: string; readonly isRefused: boolean }

/** The oldest refused message, or else the oldest one that failed. */
export async function findStuckMessage(db: Db, channel: string): Promise<Stuck | undefined> {
  const row = await db
    .selectFrom('outbox')
    .select(['created_at', 'error', 'refused'])
    .where('channel', '=', channel)
    .where('error', 'is not', null)
    .orderBy('refused', 'desc')
    .orderBy('id')
    .limit(1)
    .executeTakeFirst()
  if (row === undefined || row.error === null) return undefined
  return { createdAt: row.created_at, error: row.error, isRefused: row.refused === 1 }
}

export async function countWaiting(db: Db): Promise<number> {
  const row = await db
    .selectFrom('outbox')
    .select((table) => table.fn.countAll().as('waiting'))
    .executeTakeFirstOrThrow()
  return z.coerce.number().parse(row.waiting)
}
