// Alert changes and the messages about them, written in one transaction: neither is ever there without the other.
import type { AlertTarget } from '../../shared/repository/alert-target.ts'
import { bounds } from '../allowance/bounds.ts'
import { noticeKinds } from '../judge/host-conditions.ts'
import type { AlertChange } from '../judge/judge.ts'
import {
  type Alert,
  insertAlert,
  listAlertsById,
  listOpenAlerts,
  resolveAlert,
  trimAlerts,
  updateAlert,
} from '../store/alerts.ts'
import { listHostNames } from '../store/hosts.ts'
import {
  countWaitingOf,
  deleteChannel,
  deleteMessages,
  insertChannel,
  insertMessage,
  isNotified,
  listChannels,
  listUnqueuedAlerts,
  listUnqueuedEnds,
  replaceMessage,
  saveDelivered,
  type Waiting,
} from '../store/outbox.ts'
import type { Db } from '../store/tables.ts'
import { channelKey } from './channels/registry.ts'
import { type AlertEvent, alertMessage } from './message.ts'

/** A diff that keeps changing is told at most this often. */
const updateEveryMs = 30_000

/** Alerts of one cause on other hosts that come within this time are in the same message. */
const togetherMs = 10_000

/** `db` is a transaction of the caller. */
export async function writeAlerts(db: Db, changes: readonly AlertChange[], now: Date): Promise<void> {
  if (changes.length === 0) return
  const at = now.toISOString()
  const channels = (await listChannels(db)).map((channel) => channel.key)
  const tell = (event: AlertEvent, alert: Alert) => enqueue(db, { event, alert, channels, now })
  for (const change of changes) {
    switch (change.kind) {
      case 'open':
        await tell('opened', await insertAlert(db, change.cause, at))
        break
      case 'update':
        await updateAlert(db, change.alert.id, change.cause, at)
        await tell('updated', { ...change.alert, ...change.cause, updatedAt: at })
        break
      case 'amend':
        await updateAlert(db, change.alert.id, change.cause, at)
        break
      case 'resolve':
        await resolveAlert(db, change.alert.id, { at, end: change.end })
        await tellResolved(db, { ...change.alert, resolvedAt: at, updatedAt: at, end: change.end }, { channels, now })
        await trimAlerts(db, change.alert.scope)
        break
    }
  }
}

/** Makes the channels those of plumb.yaml. A new one starts with what is open now. */
export async function syncChannels(db: Db, targets: readonly AlertTarget[], now: Date): Promise<void> {
  const wanted = new Map(targets.map((target) => [channelKey(target), target]))
  await db.transaction().execute(async (transaction) => {
    const known = new Set((await listChannels(transaction)).map((channel) => channel.key))
    for (const key of known) if (!wanted.has(key)) await deleteChannel(transaction, key)
    const added = [...wanted].filter(([key]) => !known.has(key))
    for (const [key, target] of added) await insertChannel(transaction, key, JSON.stringify(target), now.toISOString())
    if (added.length === 0) return
    const channels = added.map(([key]) => key)
    for (const alert of await listOpenAlerts(transaction)) {
      await enqueue(transaction, { event: 'opened', alert, channels, now })
    }
  })
}

/** Opens that found no room in the outbox are queued once there is some. */
export async function queueDeferred(db: Db, channel: string, now: Date): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    const unqueued = new Set(await listUnqueuedAlerts(transaction, channel))
    if (unqueued.size === 0) return
    const alerts = (await listOpenAlerts(transaction)).filter(({ id }) => unqueued.has(id))
    for (const alert of alerts) await enqueue(transaction, { event: 'opened', alert, channels: [channel], now })
  })
}

/** The channel took these messages. What ended before it knew of the beginning gets its end now. */
export async function recordDelivered(
  db: Db,
  channel: string,
  { sent, now }: { readonly sent: readonly Waiting[]; readonly now: Date },
): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    await saveDelivered(transaction, channel, sent)
    const opened = sent.flatMap(({ event, alert }) => (event === 'opened' ? alert : []))
    const ended = await listUnqueuedEnds(transaction, channel, opened)
    for (const alert of await listAlertsById(transaction, ended))
      await enqueue(transaction, { event: 'resolved', alert, channels: [channel], now })
  })
}

/**
 * A channel that was not told of the alert need not be told at all, unless the alert is a notice that is over at once: the end of
 * that follows its delivery.
 */
async function tellResolved(
  db: Db,
  alert: Alert,
  { channels, now }: { readonly channels: readonly string[]; readonly now: Date },
): Promise<void> {
  for (const channel of channels) {
    const told = await isNotified(db, channel, alert.id)
    const events = told || noticeKinds.has(alert.kind) ? ['updated'] : ['updated', 'opened']
    await deleteMessages(db, { channel, alert: alert.id, events })
    if (told) await enqueue(db, { event: 'resolved', alert, channels: [channel], now })
  }
}

type AlertNotice = {
  readonly event: AlertEvent
  readonly alert: Alert
  readonly channels: readonly string[]
  readonly now: Date
}

async function enqueue(db: Db, { event, alert, channels, now }: AlertNotice): Promise<void> {
  const body = bodyOf(event, alert)
  for (const channel of channels) {
    // That a channel is broken is not told to the channel itself.
    if (alert.key === `channel-unusable:${channel}`) continue
    const message = { channel, alert: alert.id, event, body }
    if (event === 'updated' && (await isCurrent(db, { message, alert }))) continue
    const dueAt = new Date(now.getTime() + (await waitOf(db, { event, alert }))).toISOString()
    if (await hasRoom(db, channel, { event, alert }))
      await insertMessage(db, { ...message, createdAt: now.toISOString(), dueAt })
  }
}

function bodyOf(event: AlertEvent, alert: Alert): string {
  const at = { opened: alert.openedAt, updated: alert.updatedAt, resolved: alert.resolvedAt ?? alert.updatedAt }
  return JSON.stringify(alertMessage(event, alert, at[event]))
}

type Updated = { readonly message: { readonly channel: string; readonly body: string }; readonly alert: Alert }

/** A message that waits says it now; a channel that was not told gets the alert as it is when there is room. */
async function isCurrent(db: Db, { message: { channel, body }, alert }: Updated): Promise<boolean> {
  const waiting = { channel, alert: alert.id }
  if (await replaceMessage(db, { ...waiting, event: 'opened', body: bodyOf('opened', alert) })) return true
  if (await replaceMessage(db, { ...waiting, event: 'updated', body })) return true
  return !(await isNotified(db, channel, alert.id))
}

/** The end of what a channel was told of always has. */
async function hasRoom(
  db: Db,
  channel: string,
  { event, alert }: Pick<AlertNotice, 'event' | 'alert'>,
): Promise<boolean> {
  if (event === 'resolved') return true
  return (await countWaitingOf(db, channel, alert.host ?? null)) < bounds.messagesWaiting.limit
}

/** Where there is one host, there is nothing to wait for. */
async function waitOf(db: Db, { event, alert }: Pick<AlertNotice, 'event' | 'alert'>): Promise<number> {
  if (event === 'updated') return updateEveryMs
  return alert.common !== undefined && (await listHostNames(db)).length > 1 ? togetherMs : 0
}
