import { expect, test } from 'vitest'
import { slackBody } from '../../../server/notify/channels/slack.ts'
import { type AlertMessage, alertMessage } from '../../../server/notify/message.ts'
import type { Alert } from '../../../server/store/alerts.ts'

const dashboard = 'https://plumb.example.org/alerts'
const drift: AlertMessage['alert'] = {
  id: 7,
  kind: 'drift',
  severity: 'warning',
  title: 'web-1: nginx has drifted',
  text: '/etc/nginx/nginx.conf: content differs',
  remedy: 'To keep it on web-1: plumb adopt nginx\nTo repair it on web-1: plumb apply',
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
      'To repair it on web-1: plumb apply',
      `<${dashboard}>`,
    ].join('\n'),
  )
})

test('a resolved alert is one line', () => {
  expect(text('resolved')).toBe(':white_check_mark: *web-1: nginx has drifted* - resolved')
})

test.each<[AlertMessage['alert']['end'], string]>([
  [{ kind: 'no-longer-true' }, ':white_check_mark: *web-1: nginx has drifted* - resolved'],
  [
    { kind: 'held', by: 'anna <!here>', until: '2026-11-23T05:00:00.000Z' },
    ':information_source: *web-1: nginx has drifted* - held by anna &lt;!here&gt; until 2026-11-23 05:00:00 UTC, the drift is still there',
  ],
  [{ kind: 'host-removed' }, ':information_source: *web-1: nginx has drifted* - the host was removed'],
  [{ kind: 'service-left' }, ':information_source: *web-1: nginx has drifted* - no longer a service of the host'],
])('the end of an alert says why: %j', (end, line) => {
  expect(text('resolved', { end })).toBe(line)
})

test('what is over has no ways out', () => {
  const { id, kind, severity, openedAt, title, text: said, remedy } = drift
  const alert = {
    id,
    kind,
    severity,
    openedAt,
    title,
    text: said,
    remedy,
    key: 'k',
    scope: 'fleet',
    updatedAt: openedAt,
  }
  expect(alertMessage('opened', alert as Alert, openedAt).alert.remedy).toBe(remedy)
  expect(alertMessage('resolved', { ...(alert as Alert), resolvedAt: openedAt }, openedAt).alert.remedy).toBeUndefined()
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

test.each([
  ['lines', (count: number) => `line ${count}`],
  ['lines that end in line ends', (count: number) => `line ${count}\n`],
  ['one line', (count: number) => `word ${count} `],
  ['characters of two units', () => '\u{1f600}'],
])('of the long text of a failure the beginning and the end are shown: %s', (what, part) => {
  const output = Array.from({ length: 2000 }, (_, index) => part(index)).join(what.startsWith('lines') ? '\n' : '')
  const said = `Revision aaaaaaa failed at "validate": it failed:\n${output}\nERROR: the last line`

  const shown = text('opened', { text: said, diff: undefined, remedy: undefined })

  expect(shown.length).toBeLessThan(1800)
  expect(shown).toMatch(/^:rotating_light: .*\nRevision aaaaaaa failed at "validate": it failed:\n/)
  expect(shown).toMatch(
    new RegExp(`\n\\.\\.\\. \\d+ more lines?: ${dashboard}\n[^]*\nERROR: the last line\n<${dashboard}>$`),
  )
  expect(shown.isWellFormed()).toBe(true)
  const counted = Number(/\.\.\. (\d+) more/.exec(shown)?.[1])
  const lines = shown.split('\n').filter((line) => line !== '').length - 3
  expect(Math.abs(said.split('\n').filter((line) => line !== '').length - counted - lines)).toBeLessThanOrEqual(2)
})

function text(event: AlertMessage['event'], change: Partial<AlertMessage['alert']> = {}): string {
  const message = { event, at: drift.openedAt, alert: { ...drift, ...change } }
  const body = slackBody({ message, delivery: 'd', dashboard })
  return 'text' in body ? String(body.text) : ''
}

test('whatever a host says in an alert, no channel gets what a terminal or a screen obeys', () => {
  const hostile = 'a\u001b[2J\u202eb\u200bc\r'
  const texts = { title: hostile, text: hostile, remedy: hostile, diff: `-${hostile}\n` }
  const { id, kind, severity, openedAt } = drift
  const alert: Alert = { id, kind, severity, openedAt, ...texts, key: 'k', scope: 'fleet', updatedAt: openedAt }
  const message = alertMessage('opened', alert, drift.openedAt)
  expect(message.alert).toMatchObject({ title: 'a␛[2J‹U+202E›b‹U+200B›c␍', diff: '-a␛[2J‹U+202E›b‹U+200B›c␍\n' })
  const bodies = JSON.stringify([slackBody({ message, delivery: 'd', dashboard }), message])
  expect(bodies).not.toMatch(/\p{Cf}|\\u001b|\\r/u)
})
