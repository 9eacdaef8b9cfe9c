// notify: sends queued messages of the outbox to channels, with retries and backoff. Undelivered messages are kept in the
// database and survive a restart.
import type { Logger } from 'pino'
import { type Clock, later } from '../app/clock.ts'
import {
  type Batch,
  type Channel,
  type Due,
  type FailedMessages,
  listChannels,
  nextBatch,
  saveChannelFailed,
  saveChannelWorks,
  saveMessagesFailed,
} from '../store/outbox.ts'
import { fromJson } from '../store/rows.ts'
import type { Db } from '../store/tables.ts'
import { type ChannelProblem, problemOf } from './channel-problems.ts'
import { bodyFor, storedTargetSchema } from './channels/registry.ts'
import { messageOf } from './merge.ts'
import { type AlertMessage, shortMessage } from './message.ts'
import type { PostOptions, PostOutcome } from './post.ts'
import { addressOf, type ChannelAddress } from './secrets.ts'
import { queueDeferred, recordDelivered } from './write-alerts.ts'

export type CourierParts = {
  readonly db: Db
  readonly clock: Clock
  readonly log: Logger
  readonly secretsDirectory: string
  /** Base URL of the dashboard, for links in messages. */
  readonly publicUrl: URL
  /** Addresses written in plumb.yaml may be on this machine. */
  readonly allowOwnAddresses: boolean
  post(url: URL, body: object, options: PostOptions): Promise<PostOutcome>
  /** 0 to 1. */
  random(): number
}

const deadlineMs = 10_000
const firstWaitMs = 5_000
const longestWaitMs = 10 * 60_000
/** Jitter of a fifth, so that many servers do not retry at the same moment. */
const spread = 0.2
/** After this many failed attempts a message no longer blocks the others. */
const asideAfterAttempts = 3

/** Channels are served independently, each by at most one run at a time. */
export class Courier {
  readonly #parts: CourierParts
  readonly #running = new Map<string, Promise<void>>()

  constructor(parts: CourierParts) {
    this.#parts = parts
  }

  /** Channels that are due and not being served. */
  async due(): Promise<readonly Channel[]> {
    const { now, beyond } = dueAt(this.#parts.clock.now())
    return (await listChannels(this.#parts.db)).filter(
      ({ key, nextAttemptAt }) => (nextAttemptAt <= now || nextAttemptAt > beyond) && !this.#running.has(key),
    )
  }

  /** Sends the channel's due messages; resolves when none is left or the channel must wait. */
  deliver(channel: Channel): Promise<void> {
    const { key } = channel
    const delivery = this.#running.get(key) ?? this.#deliverOn(channel).finally(() => this.#running.delete(key))
    this.#running.set(key, delivery)
    return delivery
  }

  /** All channels that are due. */
  async deliverDue(): Promise<void> {
    const due = await this.due()
    await Promise.all([...this.#running.values(), ...due.map((channel) => this.deliver(channel))])
  }

  /** Channels with a problem that needs a person. */
  async problems(): Promise<readonly ChannelProblem[]> {
    const { db, clock, secretsDirectory } = this.#parts
    const problems = (await listChannels(db)).map((channel) => problemOf(channel, { db, clock, secretsDirectory }))
    return (await Promise.all(problems)).flatMap((problem) => problem ?? [])
  }

  async #deliverOn(channel: Channel): Promise<void> {
    const address = addressOf(fromJson(storedTargetSchema, channel.body), this.#parts.secretsDirectory)
    for (let { attempts } = channel; ; attempts = 0) {
      const order = { asideAfter: asideAfterAttempts, leastTriedFirst: attempts >= asideAfterAttempts }
      const batch = await nextBatch(this.#parts.db, channel.key, { ...dueAt(this.#parts.clock.now()), ...order })
      if (batch === undefined) return queueDeferred(this.#parts.db, channel.key, this.#parts.clock.now())
      const outcome = await this.#attempt(channel, batch, address)
      if (outcome.kind !== 'delivered') {
        const isTried = address.kind === 'ready'
        return await this.#notDelivered(batch, outcome, { ...channel, attempts: attempts + 1, isTried })
      }
      await recordDelivered(this.#parts.db, channel.key, { sent: batch.messages, now: this.#parts.clock.now() })
      await saveChannelWorks(this.#parts.db, channel.key)
      this.#parts.log.info(aboutOf(channel, batch), 'alert sent')
    }
  }

  async #attempt(channel: Channel, batch: Batch, address: ChannelAddress): Promise<PostOutcome> {
    if (address.kind === 'unusable') return { kind: 'failed', reason: address.message }
    const { to } = fromJson(storedTargetSchema, channel.body)
    const dashboard = new URL('alerts', this.#parts.publicUrl).href
    const options = { deadlineMs, anywhere: this.#parts.allowOwnAddresses || address.byOperator }
    const { message, delivery } = messageOf(batch)
    const post = (said: AlertMessage) => {
      return this.#parts.post(address.url, bodyFor[to]({ message: said, delivery, dashboard }), options)
    }
    const outcome = await post(message)
    if (outcome.kind !== 'rejected') return outcome
    const { reason, answer } = outcome
    this.#parts.log.warn({ ...aboutOf(channel, batch), reason, answer }, 'alert refused: it is sent in a short form')
    return post(shortMessage(message))
  }

  /** Delays the whole channel, and a repeatedly failing message for longer than the others. */
  async #notDelivered(batch: Batch, outcome: NotDelivered, channel: FailedChannel): Promise<void> {
    const now = this.#parts.clock.now()
    const { reason } = outcome
    const isRefused = outcome.kind === 'rejected'
    const asked = outcome.kind === 'failed' ? outcome.retryAfterMs : undefined
    const wait = asked === undefined ? this.#waitAfter(channel.attempts) : Math.min(asked, longestWaitMs)
    const nextAttemptAt = later(now, wait).toISOString()
    const since = channel.attempts > 1 ? channel.failingSince : undefined
    // The wall clock may have been set back.
    const failingSince = since !== undefined && since < now.toISOString() ? since : now.toISOString()
    await this.#parts.db.transaction().execute(async (transaction) => {
      await saveChannelFailed(transaction, channel.key, {
        attempts: channel.attempts,
        nextAttemptAt,
        failingSince,
        error: reason,
      })
      if (!channel.isTried) return
      const failed = Math.max(...batch.messages.map((message) => message.attempts)) + 1
      const attempts = isRefused ? Math.max(failed, asideAfterAttempts) : failed
      const aside = attempts < asideAfterAttempts ? {} : { dueAt: later(now, this.#waitAfter(attempts)).toISOString() }
      await saveMessagesFailed(transaction, batch.messages, { attempts, ...aside, ...errorOf(batch, outcome) })
    })
    this.#parts.log.warn(
      { ...aboutOf(channel, batch), attempts: channel.attempts, reason, nextAttemptAt },
      'alert not sent',
    )
  }

  /** Doubled each time. */
  #waitAfter(attempts: number): number {
    const wait = Math.min(firstWaitMs * 2 ** (attempts - 1), longestWaitMs)
    return wait * (1 - spread / 2 + spread * this.#parts.random())
  }
}

type NotDelivered = Exclude<PostOutcome, { kind: 'delivered' }>
/** `isTried`: there was an address, so a request was sent. */
type FailedChannel = Channel & { readonly isTried: boolean }

/** Keeps the first refusal: a receiver may answer differently each time, and each new text would be an update. */
function errorOf({ messages: [first] }: Batch, outcome: NotDelivered): Pick<FailedMessages, 'error' | 'isRefused'> {
  if (outcome.kind === 'failed') return { error: outcome.reason, isRefused: false }
  if (first.isRefused && first.error !== undefined) return { error: first.error, isRefused: true }
  const answer = outcome.answer === '' ? '' : `: "${outcome.answer}"`
  return { error: `${outcome.reason}${answer}`, isRefused: true }
}

function dueAt(now: Date): Due {
  const longest = longestWaitMs * (1 + spread / 2)
  return { now: now.toISOString(), beyond: later(now, longest).toISOString() }
}

function aboutOf({ key }: Channel, { messages: [{ alert, event, delivery }] }: Batch) {
  return { channel: key, alert, event, delivery }
}
