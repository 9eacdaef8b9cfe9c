// The kinds of channels. Each adds one thing: the form of a message. A new one is its file, its name in the list of
// shared/repository/alert-target.ts, and its line here, which the compiler then asks for.
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

/** Of the database: what plumb.yaml said when its limits may have been others. */
export const storedTargetSchema: z.ZodType<AlertTarget> = z.object({ to: z.enum(channelKinds), url: z.string() })

/** The same for the same address, by whatever revision it is named. */
export function channelKey({ to, url }: AlertTarget): string {
  return createHash('sha256')
    .update(JSON.stringify([to, url]))
    .digest('hex')
    .slice(0, 16)
}
