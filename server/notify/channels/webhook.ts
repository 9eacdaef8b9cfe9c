// A plain webhook: the complete message as JSON.
import type { Delivery } from '../message.ts'

export function webhookBody({ message, delivery, dashboard }: Delivery): object {
  return { delivery, event: message.event, at: message.at, dashboard, alert: message.alert }
}
