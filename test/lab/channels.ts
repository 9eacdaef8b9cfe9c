// Where alerts go: a webhook and a Slack-compatible one, as real HTTP servers, and what they were told.
import { z } from 'zod'
import { eventually, generousMs } from '../../scripts/lab/waiting.ts'
import { startReceiver } from '../server/kit.ts'

const messageSchema = z.object({
  event: z.enum(['opened', 'updated', 'resolved']),
  alert: z.object({
    id: z.number(),
    kind: z.string(),
    title: z.string(),
    text: z.string(),
    host: z.string().optional(),
    service: z.string().optional(),
    diff: z.string().optional(),
  }),
})
const slackSchema = z.object({ text: z.string() })

export type Told = z.infer<typeof messageSchema>
export type About = { readonly kind: string; readonly host?: string; readonly service?: string }

export type Channels = {
  /** For the server; `alerts` in plumb.yaml names them. */
  readonly secrets: Readonly<Record<'alert_url' | 'slack_url', string>>
  readonly yaml: string
  webhook(): readonly Told[]
  slack(): readonly string[]
  /** What both were told from now on. */
  from(): ChannelsSince
  close(): Promise<void>
}

export type ChannelsSince = {
  webhook(): readonly Told[]
  slack(): readonly string[]
  /** The first such message, once both channels have had as many. */
  told(event: Told['event'], about: About, withinMs?: number): Promise<Told['alert']>
}

export async function startChannels(): Promise<Channels> {
  const [webhook, slack] = [await startReceiver(), await startReceiver()]
  const channels: Channels = {
    secrets: { alert_url: webhook.url, slack_url: slack.url },
    yaml: `alerts:
  - { to: webhook, url: "\${{ secrets.alert_url }}" }
  - { to: slack, url: "\${{ secrets.slack_url }}" }
`,
    webhook: () => webhook.bodies.map((body) => messageSchema.parse(JSON.parse(body))),
    slack: () => slack.bodies.map((body) => slackSchema.parse(JSON.parse(body)).text),
    from: () => since(channels, channels.webhook().length, channels.slack().length),
    close: async () => void (await Promise.all([webhook.close(), slack.close()])),
  }
  return channels
}

function since(channels: Channels, webhookBefore: number, slackBefore: number): ChannelsSince {
  const now: ChannelsSince = {
    webhook: () => channels.webhook().slice(webhookBefore),
    slack: () => channels.slack().slice(slackBefore),
    told: (event, about, withinMs = generousMs) =>
      eventually(
        `both channels are told: ${event} ${JSON.stringify(about)}`,
        () => {
          const found = now.webhook().find((message) => message.event === event && isAbout(message, about))
          if (found !== undefined && now.slack().length >= now.webhook().length) return found.alert
          throw new Error(JSON.stringify({ webhook: now.webhook().map(headingOf), slack: now.slack().length }))
        },
        { withinMs },
      ),
  }
  return now
}

function isAbout({ alert }: Told, { kind, host, service }: About): boolean {
  return alert.kind === kind && alert.host === host && alert.service === service
}

function headingOf({ event, alert }: Told): string {
  return `${event}: ${alert.title}`
}
