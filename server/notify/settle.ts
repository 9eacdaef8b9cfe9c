// Alert changes and the messages about them, written in one transaction: neither is ever there without the other.
import type { AlertChange } from '../judge/judge.ts'
import { type Alert, insertAlert, listOpenAlerts, resolveAlert, trimAlerts, updateAlert } from '../store/alerts.ts'
import {
  deleteChannel,
  deleteMessages,
  insertChannel,
  insertMessage,
  listChannels,
  type NewMessage,
  replaceMessage,
} from '../store/outbox.ts'
import type { Db } from '../store/tables.ts'
import { type ChannelSpec, channelKey } from './channels/channel.ts'
import { type AlertEvent, alertMessage } from './message.ts'

/** A diff that keeps changing is told at most this often. */
const updateEveryMs = 30_000

/** `db` is a transaction of the caller. */
export async function settleAlerts(db: Db, changes: readonly AlertChange[], now: Date): Promise<void> {
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
      case 'resolve':
        await resolveAlert(db, change.alert.id, at)
        await deleteMessages(db, change.alert.id, 'updated')
        await tell('resolved', { ...change.alert, resolvedAt: at, updatedAt: at })
        await trimAlerts(db, change.alert.scope)
        break
    }
  }
}

/** Makes the channels those of plumb.yaml. A new one starts with what is open now. */
export async function adoptChannels(db: Db, specs: readonly ChannelSpec[], now: Date): Promise<void> {
  const wanted = new Map(specs.map((spec) => [channelKey(spec), spec]))
  await db.transaction().execute(async (transaction) => {
    const known = new Set((await listChannels(transaction)).map((channel) => channel.key))
    for (const key of known) if (!wanted.has(key)) await deleteChannel(transaction, key)
    const added = [...wanted].filter(([key]) => !known.has(key))
    for (const [key, spec] of added) await insertChannel(transaction, key, JSON.stringify(spec), now.toISOString())
    if (added.length === 0) return
    const channels = added.map(([key]) => key)
    for (const alert of await listOpenAlerts(transaction)) {
      await enqueue(transaction, { event: 'opened', alert, channels, now })
    }
  })
}

type Telling = {
  readonly event: AlertEvent
  readonly alert: Alert
  readonly channels: readonly string[]
  readonly now: Date
}

async function enqueue(db: Db, { event, alert, channels, now }: Telling): Promise<void> {
  const at = now.toISOString()
  const body = JSON.stringify(alertMessage(event, alert, at))
  for (const channel of channels) {
    // That a channel is broken is not told to the channel itself.
    if (alert.key === `channel-unusable:${channel}`) continue
    const dueAt = event === 'updated' ? new Date(now.getTime() + updateEveryMs).toISOString() : at
    const message: NewMessage = { channel, alert: alert.id, event, body, createdAt: at, dueAt }
    if (event === 'updated' && (await replaceMessage(db, message))) continue
    await insertMessage(db, message)
  }
}
