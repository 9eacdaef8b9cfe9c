// Why alerts cannot be sent on a channel, as an alert of the fleet.
import type { ProblemCode } from '../../shared/problem.ts'
import { type Clock, later } from '../app/clock.ts'
import { type Channel, findStuckMessage } from '../store/outbox.ts'
import { fromJson } from '../store/rows.ts'
import type { Db } from '../store/tables.ts'
import { storedTargetSchema } from './channels/registry.ts'
import { addressOf } from './secrets.ts'

export type ChannelProblem = {
  readonly key: string
  readonly code: ProblemCode
  readonly message: string
  readonly remedy: string
}

export type ProblemParts = { readonly db: Db; readonly clock: Clock; readonly secretsDirectory: string }

const unusableAfterAttempts = 5
const unusableAfterMs = 15 * 60_000

/** Undefined when the channel has no known problem. */
export async function problemOf(channel: Channel, parts: ProblemParts): Promise<ChannelProblem | undefined> {
  const { db, clock, secretsDirectory } = parts
  const { key, attempts, failingSince, lastError } = channel
  const address = addressOf(fromJson(storedTargetSchema, channel.body), secretsDirectory)
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
        'They are kept and retried. Check what the receiver accepts, or correct the address or the kind (`to`) under `alerts` in plumb.yaml.',
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
