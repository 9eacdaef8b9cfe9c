// Merges queued messages of one event and one cause on several hosts into one message. Pure.
import { createHash } from 'node:crypto'
import { visibleText } from '../../shared/visible-text.ts'
import type { Batch, Waiting } from '../store/outbox.ts'
import { fromJson } from '../store/rows.ts'
import { type AlertMessage, alertMessageSchema } from './message.ts'

/** `delivery` identifies exactly these messages with these bodies. */
export function messageOf({ messages, title }: Batch): { readonly message: AlertMessage; readonly delivery: string } {
  const [first, ...others] = messages
  if (others.length === 0) return { message: messageIn(first), delivery: first.delivery }
  const deliveries = messages.map(({ delivery }) => delivery).toSorted()
  const delivery = createHash('sha256').update(deliveries.join(' ')).digest('hex').slice(0, 32)
  return { message: merged(messages, title), delivery }
}

/** What was queued as the beginning of an alert may be an update by now. */
function messageIn({ event, body }: Waiting): AlertMessage {
  return alertMessageSchema.parse({ ...fromJson(alertMessageSchema, body), event })
}

/** `title` is that of the common cause, with `{hosts}`. Text, remedy and diff are those of the latest alert. */
function merged(waiting: readonly Waiting[], title: string): AlertMessage {
  const messages = waiting.map(messageIn)
  const alerts = messages.map(({ alert }) => alert)
  const last = messages.at(-1)
  if (last === undefined) throw new TypeError('no message to merge')
  const hosts = [...new Set(alerts.flatMap((alert) => alert.hosts ?? alert.host ?? []))]
  const { host, text, ...rest } = last.alert
  const common = {
    ...rest,
    title: visibleText(title).replace('{hosts}', `${hosts.length} hosts`),
    text: `On ${listed(hosts.toSorted())}. As on ${host ?? 'one of them'}:\n${text}`,
    hosts: hosts.toSorted(),
    members: alerts.map(({ id }) => id),
  }
  return alertMessageSchema.parse({ ...last, alert: common })
}

const hostsNamed = 20

function listed(hosts: readonly string[]): string {
  const rest = hosts.length - hostsNamed
  return rest > 0 ? `${hosts.slice(0, hostsNamed).join(', ')} and ${rest} more` : hosts.join(', ')
}
