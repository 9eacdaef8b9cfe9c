// Where plumb.yaml sends alerts. The one list of channel kinds: for each, server/notify/channels/registry.ts has what sends to it.
import { z } from 'zod'
import { text } from './scalars.ts'

export const channelKinds = ['webhook', 'slack'] as const

export type ChannelKind = (typeof channelKinds)[number]

const urlSchema = text(
  /^(?:https?:\/\/\S+|\$\{\{\s*secrets\.[A-Za-z_][A-Za-z0-9_-]{0,63}\s*\}\}\S*)$/,
  `a http(s) address or \${{ secrets.NAME }}`,
  2000,
)

export const alertTargetSchema = z.strictObject({
  to: z.enum(channelKinds),
  /** As written: a secret stands in it by name, never by value. */
  url: urlSchema,
})

export type AlertTarget = Readonly<z.infer<typeof alertTargetSchema>>
