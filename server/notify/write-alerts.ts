// Writes alert changes and the messages about them in one transaction, so that neither exists without the other.
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

/** A diff that keeps changing is sent at most this often. */
const updateEveryMs = 30_000

/** Alerts of one cause that open on several hosts within this time share a message. */
const togetherMs = 10_000

/** `db` must be a transaction of the caller. */
export async function writeAlerts(db: Db, changes: readonly AlertChange[], now: Date): Promise<void> {
  if (changes.length === 0) return
  const at = now.toISOString()
  const channels = (await listChannels(db)).map((channel) => channel.key)
  const notify = (event: AlertEvent, alert: Alert) => enqueue(db, { event, alert, channels, now })
  for (const change of changes) {
    switch (change.kind) {
      case 'open':
        await notify('opened', await insertAlert(db, change.cause, at))
        break
      case 'update':
        await updateAlert(db, change.alert.id, change.cause, at)
        await notify('updated', { ...change.alert, ...change.cause, updatedAt: at })
        break
      case 'amend':
        await updateAlert(db, change.alert.id, change.cause, at)
        break
      case 'resolve':
        await resolveAlert(db, change.alert.id, { at, end: change.end })
        await notifyResolved(db, { ...change.alert, resolvedAt: at, updatedAt: at, end: change.end }, { channels, now })
        await trimAlerts(db, change.alert.scope)
        break
    }
  }
}

/** Replaces the stored channels by those of plumb.yaml. A new channel starts with all open alerts. */
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

/** Queues `opened` messages that were deferred because the outbox was full. */
export async function queueDeferred(db: Db, channel: string, now: Date): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    const unqueued = new Set(await listUnqueuedAlerts(transaction, channel))
    if (unqueued.size === 0) return
    const alerts = (await listOpenAlerts(transaction)).filter(({ id }) => unqueued.has(id))
    for (const alert of alerts) await enqueue(transaction, { event: 'opened', alert, channels: [channel], now })
  })
}

/** Records that the channel accepted these messages, and queues the end of alerts that resolved during the attempt. */
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
 * A channel that never got the alert needs no message about its end. A notice is the exception: it resolves at once,
 * and its end follows its delivery.
 */
async function notifyResolved(
  db: Db,
  alert: Alert,
  { channels, now }: { readonly channels: readonly string[]; readonly now: Date },
): Promise<void> {
  for (const channel of channels) {
    const isKnown = await isNotified(db, channel, alert.id)
    const events = isKnown || noticeKinds.has(alert.kind) ? ['updated'] : ['updated', 'opened']
    await deleteMessages(db, { channel, alert: alert.id, events })
    if (isKnown) await enqueue(db, { event: 'resolved', alert, channels: [channel], now })
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
    // A broken channel is not notified about itself.
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

/**
 * True when no new message is needed: a queued one was updated, or the channel will get the current alert once there is
 * room.
 */
async function isCurrent(db: Db, { message: { channel, body }, alert }: Updated): Promise<boolean> {
  const waiting = { channel, alert: alert.id }
  if (await replaceMessage(db, { ...waiting, event: 'opened', body: bodyOf('opened', alert) })) return true
  if (await replaceMessage(db, { ...waiting, event: 'updated', body })) return true
  return !(await isNotified(db, channel, alert.id))
}

/** A `resolved` message is always queued: the channel has the alert open. */
async function hasRoom(
  db: Db,
  channel: string,
  { event, alert }: Pick<AlertNotice, 'event' | 'alert'>,
): Promise<boolean> {
  if (event === 'resolved') return true
  return (await countWaitingOf(db, channel, alert.host ?? null)) < bounds.messagesWaiting.limit
}

/** Only a cause that several hosts can share is worth waiting for. */
async function waitOf(db: Db, { event, alert }: Pick<AlertNotice, 'event' | 'alert'>): Promise<number> {
  if (event === 'updated') return updateEveryMs
  return alert.common !== undefined && (await listHostNames(db)).length > 1 ? togetherMs : 0
}
