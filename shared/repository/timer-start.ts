// What a timer starts when it is started itself: a new name knows nothing of the runs before (systemd.timer(5)). Pure.
import { type UnitSetting, unitSettings } from './unit-settings.ts'

export type JobAtStart = {
  readonly unit: string
  /** `OnBootSec=5min`: already past when the timer is started, or soon after. */
  readonly because: readonly string[]
}

/** `texts`: of its file, then of its drop-ins. Undefined: it waits for its next time. */
export function jobAtStart(timer: string, texts: readonly string[]): JobAtStart | undefined {
  const settings = texts.flatMap(unitSettings).filter(({ section }) => section === 'Timer')
  const times = timesIn(settings)
  const isPersistent = /^(?:1|yes|true|on|y|t)$/i.test(last('Persistent', settings) ?? '')
  const hasCalendar = times.some(({ key }) => key === 'OnCalendar')
  const because = [
    ...times.filter(isPastOrSoon).map(({ key, value }) => `${key}=${value}`),
    ...(isPersistent && hasCalendar ? ['Persistent=true'] : []),
  ]
  if (because.length === 0) return undefined
  return { unit: last('Unit', settings) ?? timer.replace(/\.timer$/, '.service'), because }
}

/** `which may start backup.service at once or soon (OnBootSec=5min)` */
export function jobAtStartText({ unit, because }: JobAtStart): string {
  return `which may start ${unit} at once or soon (${because.join(', ')})`
}

/** Not a calendar, nor what counts from the start of the timer and is an hour or more. */
function isPastOrSoon({ key, value }: UnitSetting): boolean {
  if (key === 'OnCalendar') return false
  return key !== 'OnActiveSec' || !(/[\d\s](?:h|d|w|M|mo|y)/.test(value) || Number(value) >= 3600)
}

/** An empty one takes back all before it. */
function timesIn(settings: readonly UnitSetting[]): readonly UnitSetting[] {
  const times = settings.filter(({ key }) => /^On(?:Calendar|Active|Boot|Startup|UnitActive|UnitInactive)/.test(key))
  return times.slice(times.findLastIndex(({ value }) => value === '') + 1)
}

function last(wanted: string, settings: readonly UnitSetting[]): string | undefined {
  return settings.findLast(({ key }) => key === wanted)?.value || undefined
}
