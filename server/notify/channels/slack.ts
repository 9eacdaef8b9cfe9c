// Slack-compatible incoming webhooks (Slack, Mattermost, Rocket.Chat, Discord's /slack): one text with the diff in a code block.
import type { AlertEvent, Delivery } from '../message.ts'

/** Slack cuts a text at 40,000 characters and folds it long before: a diff is shown up to this many, the rest is on the dashboard. */
const diffShown = 2800
const textShown = 1500

export function slackBody({ message, dashboard }: Delivery): object {
  const { event, alert } = message
  const lines = [`${marks[event]} *${escaped(alert.title)}*${event === 'opened' ? '' : ` - ${event}`}`]
  if (event === 'resolved') return { text: lines.join('\n') }
  lines.push(escaped(cut(alert.text, textShown, dashboard)))
  if (alert.diff !== undefined) lines.push(`\`\`\`\n${codeText(cut(alert.diff, diffShown, dashboard))}\n\`\`\``)
  if (event === 'opened' && alert.remedy !== undefined) lines.push(escaped(alert.remedy))
  lines.push(`<${dashboard}>`)
  return { text: lines.join('\n') }
}

const marks: Record<AlertEvent, string> = {
  opened: ':rotating_light:',
  updated: ':pencil2:',
  resolved: ':white_check_mark:',
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
  const end = text.lastIndexOf('\n', limit)
  const shown = text.slice(0, end > limit / 2 ? end : limit)
  const hidden = text
    .slice(shown.length)
    .split('\n')
    .filter((line) => line !== '').length
  return `${shown}\n... ${hidden} more lines: ${dashboard}`
}
