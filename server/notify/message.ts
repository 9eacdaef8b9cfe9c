// What is told of an alert: one message per event, the same for every channel, which only gives it another form.
import { z } from 'zod'
import type { Alert } from '../store/alerts.ts'

export const alertMessageSchema = z.object({
  event: z.enum(['opened', 'updated', 'resolved']),
  /** When it happened, not when it was sent. */
  at: z.string(),
  alert: z.object({
    id: z.number(),
    kind: z.string(),
    severity: z.enum(['critical', 'warning']),
    title: z.string(),
    text: z.string(),
    remedy: z.string().optional(),
    host: z.string().optional(),
    service: z.string().optional(),
    openedAt: z.string(),
    resolvedAt: z.string().optional(),
    /** Unified, secrets masked. */
    diff: z.string().optional(),
  }),
})

export type AlertMessage = z.infer<typeof alertMessageSchema>
/** `delivery` is the same on every attempt, so that a receiver can drop what it has had; `dashboard` is where people look. */
export type Delivery = { readonly message: AlertMessage; readonly delivery: string; readonly dashboard: string }

export type AlertEvent = AlertMessage['event']

export function alertMessage(event: AlertEvent, alert: Alert, at: string): AlertMessage {
  const { key: _key, scope: _scope, updatedAt: _updatedAt, ...told } = alert
  return alertMessageSchema.parse({ event, at, alert: told })
}
