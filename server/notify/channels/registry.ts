// The kinds of channels. Each defines only the format of a message. To add one: its file, its name in
// shared/repository/alert-target.ts, and its line here, which the compiler then requires.
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { type AlertTarget, type ChannelKind, channelKinds } from '../../../shared/repository/alert-target.ts'
import type { Delivery } from '../message.ts'
import { slackBody } from './slack.ts'
import { webhookBody } from './webhook.ts'

export const bodyFor: Readonly<Record<ChannelKind, (delivery: Delivery) => object>> = {
  webhook: webhookBody,
  slack: slackBody,
}

/** As stored in the database. Looser than the schema of plumb.yaml, whose limits may have changed since. */
export const storedTargetSchema: z.ZodType<AlertTarget> = z.object({ to: z.enum(channelKinds), url: z.string() })

/** Identifies a channel by its address, independent of the revision that names it. */
export function channelKey({ to, url }: AlertTarget): string {
  return createHash('sha256')
    .update(JSON.stringify([to, url]))
    .digest('hex')
    .slice(0, 16)
}
