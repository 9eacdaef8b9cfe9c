// A channel as plumb.yaml names it, and the one thing a kind of channel adds: the form of a message.
import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { Delivery } from '../message.ts'
import { slackBody } from './slack.ts'
import { webhookBody } from './webhook.ts'

export const channelSpecSchema = z.object({
  to: z.enum(['webhook', 'slack']),
  /** As written: a secret stands in it by name, never by value. */
  url: z.string(),
})

export type ChannelSpec = z.infer<typeof channelSpecSchema>

export const bodyFor: Record<ChannelSpec['to'], (delivery: Delivery) => object> = {
  webhook: webhookBody,
  slack: slackBody,
}

export function channelKey(spec: ChannelSpec): string {
  return createHash('sha256')
    .update(JSON.stringify([spec.to, spec.url]))
    .digest('hex')
    .slice(0, 16)
}
