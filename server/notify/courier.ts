// notify: messages that wait in the outbox -> channels, with patience. What is not delivered survives restarts in the database.
import type { Logger } from 'pino'
import type { ProblemCode } from '../../shared/problem.ts'
import { type Clock, later } from '../clock.ts'
import { type Channel, deleteSent, listChannels, nextMessage, saveAttempts, type Waiting } from '../store/outbox.ts'
import { fromJson } from '../store/rows.ts'
import type { Db } from '../store/tables.ts'
import { bodyFor, channelSpecSchema } from './channels/channel.ts'
import { alertMessageSchema } from './message.ts'
import type { PostOptions, PostOutcome } from './post.ts'
import { addressOf, type ChannelAddress } from './secrets.ts'

export type Courier = {
  /** Sends what is due on every channel; resolves when nothing more is due or a channel must wait. */
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
const keepTryingMs = 3 * 24 * 3600_000
const failingAfterAttempts = 5

export function createCourier(parts: CourierParts): Courier {
  const { db, clock, log } = parts
  let running: Promise<void> | undefined
  return {
    deliverDue() {
      running ??= deliverAll().finally(() => {
        running = undefined
      })
      return running
    },
    async problems() {
      return (await listChannels(db)).flatMap((channel) => problemOf(channel, addressFor(channel)))
    },
  }

  async function deliverAll(): Promise<void> {
    const now = clock.now().toISOString()
    const ready = (await listChannels(db)).filter((channel) => channel.nextAttemptAt <= now)
    await Promise.all(ready.map(deliverOn))
  }

  async function deliverOn(channel: Channel): Promise<void> {
    const address = addressFor(channel)
    let { attempts } = channel
    for (let failed = false; !failed; ) {
      const waiting = await nextMessage(db, channel.key, clock.now().toISOString())
      if (waiting === undefined) return
      const outcome = await attempt(channel, waiting, address)
      failed = outcome.kind === 'failed'
      attempts = failed ? attempts + 1 : 0
      await settle(waiting, outcome, { key: channel.key, attempts })
    }
  }

  async function attempt(channel: Channel, waiting: Waiting, address: ChannelAddress): Promise<PostOutcome> {
    if (address.kind === 'unusable') return { kind: 'failed', reason: address.message }
    const spec = fromJson(channelSpecSchema, channel.body)
    const message = fromJson(alertMessageSchema, waiting.body)
    const dashboard = new URL('alerts', parts.publicUrl).href
    const body = bodyFor[spec.to]({ message, delivery: `${channel.key}-${waiting.id}`, dashboard })
    const anywhere = parts.allowOwnAddresses || address.byOperator
    return parts.post(address.url, body, { deadlineMs, anywhere })
  }

  async function settle(waiting: Waiting, outcome: PostOutcome, { key, attempts }: Attempts): Promise<void> {
    const now = clock.now()
    const about = { channel: key, alert: waiting.alert, event: waiting.event, attempts }
    const tooOld = now.getTime() - new Date(waiting.createdAt).getTime() > keepTryingMs
    if (outcome.kind !== 'failed' || tooOld) await deleteSent(db, waiting)
    if (outcome.kind === 'failed') {
      const nextAttemptAt = later(now, outcome.retryAfterMs ?? waitAfter(attempts)).toISOString()
      await saveAttempts(db, key, { attempts, nextAttemptAt, error: outcome.reason })
      log.warn({ ...about, reason: outcome.reason, nextAttemptAt, givenUp: tooOld }, 'alert not sent')
      return
    }
    await saveAttempts(db, key, { attempts, nextAttemptAt: now.toISOString(), error: null })
    if (outcome.kind === 'delivered') log.info(about, 'alert sent')
    else log.error({ ...about, reason: outcome.reason }, 'alert given up: the receiver does not take it')
  }

  /** Doubled each time, and spread by a fifth so that many servers do not return at once. */
  function waitAfter(attempts: number): number {
    const wait = Math.min(firstWaitMs * 2 ** (attempts - 1), longestWaitMs)
    return wait * (0.9 + 0.2 * parts.random())
  }

  function addressFor(channel: Channel): ChannelAddress {
    return addressOf(fromJson(channelSpecSchema, channel.body), parts.secretsDirectory)
  }
}

type Attempts = { readonly key: string; readonly attempts: number }

function problemOf(channel: Channel, address: ChannelAddress): readonly ChannelProblem[] {
  if (address.kind === 'unusable') {
    const { code, message, remedy } = address
    return [{ key: channel.key, code, message, remedy }]
  }
  if (channel.attempts < failingAfterAttempts || channel.lastError === undefined) return []
  return [
    {
      key: channel.key,
      code: 'server-unreachable',
      message: `Messages are not getting through: ${channel.lastError}.`,
      remedy: 'They are kept and tried again for three days. Look at the receiver, or correct `alerts` in plumb.yaml.',
    },
  ]
}
