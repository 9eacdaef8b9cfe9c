import { expect, test } from 'vitest'
import { slackBody } from '../../../server/notify/channels/slack.ts'
import type { AlertMessage } from '../../../server/notify/message.ts'

const dashboard = 'https://plumb.example.org/alerts'
const drift: AlertMessage['alert'] = {
  id: 7,
  kind: 'drift',
  severity: 'warning',
  title: 'web-1: nginx has drifted',
  text: '/etc/nginx/nginx.conf: content differs',
  remedy: 'To keep it on web-1: plumb adopt nginx\nTo put it back on web-1: plumb apply',
  host: 'web-1',
  service: 'nginx',
  openedAt: '2026-11-23T03:00:00.000Z',
  diff: '--- a\n+++ b\n@@ -1 +1 @@\n-old\n+new\n',
}

test('the diff stands in a code block', () => {
  expect(text('opened')).toBe(
    [
      ':rotating_light: *web-1: nginx has drifted*',
      '/etc/nginx/nginx.conf: content differs',
      '```\n--- a\n+++ b\n@@ -1 +1 @@\n-old\n+new\n```',
      'To keep it on web-1: plumb adopt nginx',
      'To put it back on web-1: plumb apply',
      `<${dashboard}>`,
    ].join('\n'),
  )
})

test('a resolved alert is one line', () => {
  expect(text('resolved')).toBe(':white_check_mark: *web-1: nginx has drifted* - resolved')
})

test('a diff cannot call everybody, link elsewhere or leave its block', () => {
  const shown = text('opened', { diff: '+<!channel> & <https://evil.example|bank>\n+```\n+*bold*\n' })

  expect(shown).not.toContain('<!channel>')
  expect(shown).toContain('&lt;!channel&gt; &amp; &lt;https://evil.example|bank&gt;')
  expect(shown.match(/```/g)).toHaveLength(2)
})

test('a long diff is cut at a line, and says how much is left', () => {
  const diff = Array.from({ length: 1000 }, (_, index) => `+line ${index}\n`).join('')

  const shown = text('opened', { diff })

  expect(shown.length).toBeLessThan(4000)
  expect(shown).toMatch(new RegExp(`\\+line \\d+\\n\\.\\.\\. \\d{3} more lines: ${dashboard}`))
})

function text(event: AlertMessage['event'], change: Partial<AlertMessage['alert']> = {}): string {
  const message = { event, at: drift.openedAt, alert: { ...drift, ...change } }
  const body = slackBody({ message, delivery: 'd', dashboard })
  return 'text' in body ? String(body.text) : ''
}
