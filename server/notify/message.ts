// The message about an alert: one per event, the same for every channel, which only formats it.
import { z } from 'zod'
import { visibleText } from '../../shared/visible-text.ts'
import { alertEndSchema } from '../alert-end.ts'
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
    /** Instead of `host`, for one cause on several hosts: their names and the ids of their alerts. */
    hosts: z.array(z.string()).optional(),
    members: z.array(z.number()).optional(),
    service: z.string().optional(),
    openedAt: z.string(),
    resolvedAt: z.string().optional(),
    end: alertEndSchema.optional(),
    /** Unified, secrets masked. */
    diff: z.string().optional(),
  }),
})

export type AlertMessage = z.infer<typeof alertMessageSchema>
/** `delivery` is the same on every attempt, so that a receiver can drop duplicates; `dashboard` is the link for people. */
export type Delivery = { readonly message: AlertMessage; readonly delivery: string; readonly dashboard: string }

const shortTitleLength = 300

/** For a receiver that refused the full message: title and place, without the long parts. */
export function shortMessage({ alert, ...message }: AlertMessage): AlertMessage {
  const { text: _text, remedy: _remedy, diff: _diff, members: _members, hosts, title, ...rest } = alert
  return {
    ...message,
    alert: {
      ...rest,
      title: title.slice(0, shortTitleLength).toWellFormed(),
      text: 'The receiver refused the whole message: the rest is on the dashboard.',
      ...(hosts === undefined ? {} : { hosts: hosts.slice(0, shortHosts) }),
    },
  }
}

const shortHosts = 20

export type AlertEvent = AlertMessage['event']

/** Control characters become visible: the texts end up in terminals and chat programs that would interpret them. */
export function alertMessage(event: AlertEvent, alert: Alert, at: string): AlertMessage {
  const { key: _key, scope: _scope, updatedAt: _updatedAt, common: _common, remedy, ...fields } = alert
  const { title, text, diff } = fields
  const visible = {
    title: visibleText(title),
    text: visibleText(text),
    // A resolved alert needs no action.
    ...(remedy === undefined || event === 'resolved' ? {} : { remedy: visibleText(remedy) }),
    ...(diff === undefined ? {} : { diff: visibleText(diff) }),
  }
  return alertMessageSchema.parse({ event, at, alert: { ...fields, ...visible } })
}
