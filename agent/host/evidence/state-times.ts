// Since when a unit, or a compose project's containers, are as they are.

import type { Run } from '../../../shared/command.ts'
import { engineOf } from '../engine.ts'
import { isoTime, keyValues, systemdTime } from './sanitize.ts'

export async function unitChangedAt(query: Run, unit: string, deadlineSeconds: number): Promise<string | undefined> {
  const environment = { TZ: 'UTC' }
  const show = (more: readonly string[]) => ({
    args: [
      'systemctl',
      'show',
      ...more,
      '--property=StateChangeTimestamp',
      '--property=InactiveEnterTimestamp',
      '--',
      unit,
    ],
    environment,
    deadlineSeconds,
  })
  const exact = await query(show(['--timestamp=us+utc']))
  // Before systemd 248 there was no such option.
  return unitTime((exact.code === 0 ? exact : await query(show([]))).stdout)
}

export function unitTime(stdout: string): string | undefined {
  const shown = keyValues(stdout)
  return systemdTime(shown['StateChangeTimestamp']) ?? systemdTime(shown['InactiveEnterTimestamp'])
}

/** The latest start, end or creation of any container of the project. */
export async function projectChangedAt(
  query: Run,
  project: string,
  deadlineSeconds: number,
): Promise<string | undefined> {
  const engine = await engineOf(query)
  if (engine === undefined) return undefined
  const filter = `label=com.docker.compose.project=${project}`
  const listed = await query({
    args: [engine.name, 'ps', '--all', '--quiet', '--no-trunc', '--filter', filter],
    deadlineSeconds,
  })
  const ids = listed.stdout.split('\n').filter((id) => /^[0-9a-f]{12,64}$/.test(id))
  if (listed.code !== 0 || ids.length === 0) return undefined
  const format = '{{.Created}}\t{{.State.StartedAt}}\t{{.State.FinishedAt}}'
  const args = [engine.name, 'inspect', '--type', 'container', '--format', format, '--', ...ids.slice(0, 200)]
  return latestOf((await query({ args, deadlineSeconds })).stdout)
}

/** `2026-11-26T12:17:27.123456789Z`; podman: `2026-11-26 12:17:27.123456789 +0000 UTC`. The year 1: never. */
export function latestOf(stdout: string): string | undefined {
  const times = stdout.split(/[\t\n]/).flatMap((text) => {
    const [, day, time, zone = 'Z'] =
      /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d(?:\.\d{1,3})?)\d*\s?(Z|[+-]\d\d:?\d\d)?/.exec(text) ?? []
    const ms = Date.parse(`${day}T${time}${zone.replace(/^([+-]\d\d)(\d\d)$/, '$1:$2')}`)
    return Number.isNaN(ms) || ms <= 0 ? [] : [ms]
  })
  return times.length === 0 ? undefined : isoTime(times.reduce((latest, ms) => Math.max(latest, ms)))
}
