// notify: messages that wait in the outbox -> channels, with patience. What is not delivered survives restarts in the database.
import type { Logger } from 'pino'
import type { ProblemCode } from '../../shared/problem.ts'
import { type Clock, later } from '../app/clock.ts'
import {
  type Batch,
  type Channel,
  type Due,
  type FailedMessages,
  findStuckMessage,
  listChannels,
  nextBatch,
  saveChannelFailed,
  saveChannelWorks,
  saveMessagesFailed,
} from '../store/outbox.ts'
import { fromJson } from '../store/rows.ts'
import type { Db } from '../store/tables.ts'
import { bodyFor, channelSpecSchema } from './channels/channel.ts'
import { messageOf } from './merge.ts'
import { type AlertMessage, shortMessage } from './message.ts'
import type { PostOptions, PostOutcome } from './post.ts'
import { addressOf, type ChannelAddress } from './secrets.ts'
import { queueWhatHadNoRoom, settleDelivered } from './settle.ts'

export type Courier = {
  /** Channels that may be sent to now and are not being served. */
  due(): Promise<readonly Channel[]>
  /** Sends what is due on the channel; resolves when nothing more is due or it must wait. Each channel is served on its own. */
  deliver(channel: Channel): Promise<void>
  /** All channels that are due. */
  deliverDue(): Promise<void>
  /** Channels that cannot be used as they are, for a person to know. */
  problems(): Promise<readonly ChannelProblem[]>
}

export type ChannelProblem = {
  readonly key: string
  readonly code: ProblemCode
  readonly message: string
  readonly remedy: string
}

export type CourierParts = {
  readonly db: Db
  readonly clock: Clock
  readonly log: Logger
  readonly secretsDirectory: string
  /** Where people look, for links in messages. */
  readonly publicUrl: URL
  /** Addresses written into plumb.yaml itself may be on this machine. */
  readonly allowOwnAddresses: boolean
  post(url: URL, body: object, options: PostOptions): Promise<PostOutcome>
  /** 0 to 1. */
  random(): number
}

const deadlineMs = 10_000
const firstWaitMs = 5_000
const longestWaitMs = 10 * 60_000
/** Waits are spread by a fifth, so that many servers do not return at once. */
const spread = 0.2
/** A message that failed so often lets the others pass. */
const asideAfterAttempts = 3
const unusableAfterAttempts = 5
const unusableAfterMs = 15 * 60_000

export function createCourier(parts: CourierParts): Courier {
  const { db, clock, log } = parts
  const running = new Map<string, Promise<void>>()
  const courier: Courier = {
    async due() {
      const { now, beyond } = dueAt(clock.now())
      return (await listChannels(db)).filter(
        ({ key, nextAttemptAt }) => (nextAttemptAt <= now || nextAttemptAt > beyond) && !running.has(key),
      )
    },
    deliver(channel) {
      const delivery = running.get(channel.key) ?? deliverOn(channel).finally(() => running.delete(channel.key))
      running.set(channel.key, delivery)
      return delivery
    },
    async deliverDue() {
      const due = await courier.due()
      await Promise.all([...running.values(), ...due.map(courier.deliver)])
    },
    async problems() {
      const problems = (await listChannels(db)).map((channel) => problemOf(channel))
      return (await Promise.all(problems)).flatMap((problem) => problem ?? [])
    },
  }

  return courier

  async function deliverOn(channel: Channel): Promise<void> {
    const address = addressFor(channel)
    for (let { attempts } = channel; ; attempts = 0) {
      const order = { asideAfter: asideAfterAttempts, leastTriedFirst: attempts >= asideAfterAttempts }
      const batch = await nextBatch(db, channel.key, { ...dueAt(clock.now()), ...order })
      if (batch === undefined) return queueWhatHadNoRoom(db, channel.key, clock.now())
      const outcome = await attempt(channel, batch, address)
      if (outcome.kind !== 'delivered') {
        const isTried = address.kind === 'ready'
        return await notDelivered(batch, outcome, { ...channel, attempts: attempts + 1, isTried })
      }
      await settleDelivered(db, channel.key, { sent: batch.messages, now: clock.now() })
      await saveChannelWorks(db, channel.key)
      log.info(aboutOf(channel, batch), 'alert sent')
    }
  }

  async function attempt(channel: Channel, batch: Batch, address: ChannelAddress): Promise<PostOutcome> {
    if (address.kind === 'unusable') return { kind: 'failed', reason: address.message }
    const { to } = fromJson(channelSpecSchema, channel.body)
    const dashboard = new URL('alerts', parts.publicUrl).href
    const options = { deadlineMs, anywhere: parts.allowOwnAddresses || address.byOperator }
    const { message, delivery } = messageOf(batch)
    const post = (said: AlertMessage) => {
      return parts.post(address.url, bodyFor[to]({ message: said, delivery, dashboard }), options)
    }
    const outcome = await post(message)
    if (outcome.kind !== 'rejected') return outcome
    const { reason, answer } = outcome
    log.warn({ ...aboutOf(channel, batch), reason, answer }, 'alert refused: it is sent in a short form')
    return post(shortMessage(message))
  }

  /** The channel waits as a whole. A message that fails again and again waits longer than the others. */
  async function notDelivered(batch: Batch, outcome: NotDelivered, channel: FailedChannel): Promise<void> {
    const now = clock.now()
    const { reason } = outcome
    const isRefused = outcome.kind === 'rejected'
    const asked = outcome.kind === 'failed' ? outcome.retryAfterMs : undefined
    const wait = asked === undefined ? waitAfter(channel.attempts) : Math.min(asked, longestWaitMs)
    const nextAttemptAt = later(now, wait).toISOString()
    const since = channel.attempts > 1 ? channel.failingSince : undefined
    // The clock may have been set back.
    const failingSince = since !== undefined && since < now.toISOString() ? since : now.toISOString()
    await db.transaction().execute(async (transaction) => {
      await saveChannelFailed(transaction, channel.key, {
        attempts: channel.attempts,
        nextAttemptAt,
        failingSince,
        error: reason,
      })
      if (!channel.isTried) return
      const failed = Math.max(...batch.messages.map((message) => message.attempts)) + 1
      const attempts = isRefused ? Math.max(failed, asideAfterAttempts) : failed
      const aside = attempts < asideAfterAttempts ? {} : { dueAt: later(now, waitAfter(attempts)).toISOString() }
      await saveMessagesFailed(transaction, batch.messages, { attempts, ...aside, ...errorOf(batch, outcome) })
    })
    log.warn({ ...aboutOf(channel, batch), attempts: channel.attempts, reason, nextAttemptAt }, 'alert not sent')
  }

  /** Doubled each time. */
  function waitAfter(attempts: number): number {
    const wait = Math.min(firstWaitMs * 2 ** (attempts - 1), longestWaitMs)
    return wait * (1 - spread / 2 + spread * parts.random())
  }

  function addressFor(channel: Channel): ChannelAddress {
    return addressOf(fromJson(channelSpecSchema, channel.body), parts.secretsDirectory)
  }

  async function problemOf(channel: Channel): Promise<ChannelProblem | undefined> {
    const { key, attempts, failingSince, lastError } = channel
    const address = addressFor(channel)
    if (address.kind === 'unusable') {
      const { code, message, remedy } = address
      return { key, code, message, remedy }
    }
    const stuck = await findStuckMessage(db, key)
    if (stuck?.isRefused) {
      return {
        key,
        code: 'server-unreachable',
        message: `The receiver refuses messages, also in their short form: ${stuck.error}.`,
        remedy:
          'They are kept and tried again. Look at what the receiver takes, or correct the address or the kind (`to`) under `alerts` in plumb.yaml.',
      }
    }
    const longAgo = later(clock.now(), -unusableAfterMs).toISOString()
    const isLong = (at: string | undefined) => at !== undefined && at <= longAgo
    const isFailing = attempts >= unusableAfterAttempts || (stuck !== undefined && isLong(failingSince))
    const error = isLong(stuck?.createdAt) ? stuck?.error : isFailing ? lastError : undefined
    if (error === undefined) return undefined
    return {
      key,
      code: 'server-unreachable',
      message: `Messages are not getting through: ${error}.`,
      remedy: 'They are kept and tried again. Look at the receiver, or correct `alerts` in plumb.yaml.',
    }
  }
}

type NotDelivered = Exclude<PostOutcome, { kind: 'delivered' }>
/** `isTried`: there was an address to send to. */
type FailedChannel = Channel & { readonly isTried: boolean }

/** The first refusal stays: an answer may be another one each time. */
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
