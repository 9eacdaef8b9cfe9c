// What starting or restarting a timer starts: a renamed one knows nothing of the runs before, and the plan says so.
import { expect, test } from 'vitest'
import { changeText, stepLines } from '../../../agent/plan/text.ts'
import { jobAtStart } from '../../../shared/repository/timer-start.ts'
import type { UnitResource } from '../../../shared/resource.ts'
import { desiredService, ofKind } from '../desire/fleet.ts'

test.each<[text: string, unit: string, because: readonly string[]]>([
  ['[Timer]\nOnBootSec=5min\n', 'x.service', ['OnBootSec=5min']],
  ['[Timer]\nOnStartupSec=1min\nUnit=backup.service\n', 'backup.service', ['OnStartupSec=1min']],
  ['[Timer]\nOnActiveSec=0\nOnUnitActiveSec=1h\n', 'x.service', ['OnActiveSec=0', 'OnUnitActiveSec=1h']],
  ['[Timer]\nOnActiveSec=10min\n', 'x.service', ['OnActiveSec=10min']],
  ['[Timer]\nOnCalendar=daily\nPersistent=true\n', 'x.service', ['Persistent=true']],
  [
    '[Timer]\nOnCalendar=\nOnBootSec=1\nOnCalendar=daily\nPersistent=yes\n',
    'x.service',
    ['OnBootSec=1', 'Persistent=true'],
  ],
])('%j may start %s', (text, unit, because) => {
  expect(jobAtStart('x.timer', [text])).toEqual({ unit, because })
})

test.each([
  [['[Timer]\nOnCalendar=daily\n']],
  [['[Timer]\nOnCalendar=daily\nPersistent=true\nPersistent=false\n']],
  [['[Timer]\nPersistent=true\n']],
  [['[Timer]\nOnBootSec=1min\n', '[Timer]\nOnBootSec=\nOnCalendar=daily\n']],
  [['[Service]\nOnBootSec=1min\n']],
  [['[Timer]\nOnActiveSec=1h\n']],
  [['[Timer]\nOnActiveSec=2 days\n']],
  [['[Timer]\nOnActiveSec=7200\n']],
])('%j waits for its next time', (texts) => {
  expect(jobAtStart('x.timer', texts)).toBeUndefined()
})

async function timerOf(text: string, dropIn = ''): Promise<UnitResource> {
  const service = await desiredService({
    'services/a/units/x.timer': text,
    'services/a/units/x.service': '[Service]\nType=oneshot\nExecStart=/bin/true\n',
    ...(dropIn === '' ? {} : { 'services/a/units/x.timer.d/more.conf': dropIn }),
  })
  const timer = ofKind('unit', service).find(({ name }) => name === 'x.timer')
  if (timer === undefined) throw new Error('no timer')
  return timer
}

const missing = { enabled: 'missing', state: 'missing', type: 'missing' }
const started = (desired: UnitResource, attributes: Readonly<Record<string, string>> = missing) =>
  changeText({ id: desired.id, desired, baseline: undefined, live: { attributes }, differences: [] })

test('the plan says it of a timer that is started, and of one that is restarted', async () => {
  const timer = await timerOf('[Timer]\nOnBootSec=5min\n')
  const said = 'which may start x.service at once or soon (OnBootSec=5min)'
  expect(started(timer)).toBe(`enable and start x.timer, ${said}`)
  expect(started(timer, { enabled: 'no', state: 'running', type: 'unit' })).toBe('enable x.timer')
  const action = { kind: 'restart' as const, unit: 'x.timer' }
  const restart = { kind: 'trigger' as const, action, foreseen: 'yes' as const }
  expect(stepLines({ ...restart, startsJob: timer.startsJob ?? { unit: '', because: [] } })).toEqual([
    `restart x.timer, ${said}`,
  ])
  expect(stepLines(restart)).toEqual(['restart x.timer'])
})

test('a drop-in counts', async () => {
  const calendar = '[Timer]\nOnCalendar=daily\n'
  expect(started(await timerOf(calendar))).toBe('enable and start x.timer')
  const text = started(await timerOf(calendar, '[Timer]\nPersistent=true\nUnit=y.service\n'))
  expect(text).toContain('which may start y.service at once or soon (Persistent=true)')
})
