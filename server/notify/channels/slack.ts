// Slack-compatible incoming webhooks (Slack, Mattermost, Rocket.Chat, Discord's /slack): one text with the diff in a
// code block.
import { alertEndText } from '../../alert-end.ts'
import type { AlertEvent, AlertMessage, Delivery } from '../message.ts'

/**
 * Characters of a diff that are sent. Slack cuts a text at 40,000 characters and folds it long before; the dashboard
 * has the rest.
 */
const diffShown = 2800
const textShown = 1500

export function slackBody({ message, dashboard }: Delivery): object {
  const { event, alert } = message
  const title = `*${escaped(alert.title)}*`
  if (event === 'resolved') return { text: resolvedText(title, alert) }
  const lines = [`${marks[event]} ${title}${event === 'opened' ? '' : ` - ${event}`}`]
  lines.push(escaped(withoutMiddle(alert.text, textShown, dashboard)))
  if (alert.diff !== undefined) lines.push(`\`\`\`\n${codeText(cut(alert.diff, diffShown, dashboard))}\n\`\`\``)
  if (event === 'opened' && alert.remedy !== undefined) lines.push(escaped(alert.remedy))
  lines.push(`<${dashboard}>`)
  return { text: lines.join('\n') }
}

const marks: Record<Exclude<AlertEvent, 'resolved'>, string> = {
  opened: ':rotating_light:',
  updated: ':pencil2:',
}

function resolvedText(title: string, { end, kind }: AlertMessage['alert']): string {
  const why = alertEndText(end, kind)
  return why === undefined
    ? `:white_check_mark: ${title} - resolved`
    : `:information_source: ${title} - ${escaped(why)}`
}

/** https://api.slack.com/reference/surfaces/formatting: these three are the whole of Slack's escaping. */
function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

/** A zero-width space keeps a diff that holds three back-ticks from ending the code block. */
function codeText(diff: string): string {
  return escaped(diff.replace(/\n$/, '')).replaceAll('```', '`\u200b``')
}

function cut(text: string, limit: number, dashboard: string): string {
  if (text.length <= limit) return text
  const shown = headOf(text, limit)
  return `${shown}\n${moreLines(text.slice(shown.length), dashboard)}`
}

/** Keeps both ends: the first lines say what failed, the last lines of a program's output say why. */
function withoutMiddle(text: string, limit: number, dashboard: string): string {
  if (text.length <= limit) return text
  const head = headOf(text, limit / 3)
  const tail = tailOf(text, limit - head.length)
  const hidden = text.slice(head.length, text.length - tail.length)
  return `${head}\n${moreLines(hidden, dashboard)}\n${tail.replace(/^\n/, '')}`
}

/** Cuts at a line end, unless that would drop more than half of the text. */
function headOf(text: string, limit: number): string {
  const end = text.lastIndexOf('\n', limit)
  return text.slice(0, end > limit / 2 ? end : limit).toWellFormed()
}

function tailOf(text: string, limit: number): string {
  const from = text.length - Math.floor(limit)
  const start = text.indexOf('\n', from)
  return text.slice(start !== -1 && start < text.length - limit / 2 ? start : from).toWellFormed()
}

function moreLines(hidden: string, dashboard: string): string {
  const count = hidden.split('\n').filter((line) => line !== '').length
  return `... ${count} more ${count === 1 ? 'line' : 'lines'}: ${dashboard}`
}
