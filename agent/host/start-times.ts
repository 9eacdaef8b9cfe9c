// When containers were started, to distinguish restarted ones from unchanged ones.

import type { Run } from '../../shared/command.ts'
import { engineOf } from './engine.ts'

export async function startTimes(ids: readonly string[], query: Run): Promise<ReadonlyMap<string, string>> {
  const engine = await engineOf(query)
  if (engine === undefined || ids.length === 0) return new Map()
  const format = '{{.Id}} {{.State.StartedAt}}'
  const { stdout } = await query({
    args: [engine.name, 'inspect', '--type', 'container', '--format', format, '--', ...ids],
  })
  const lines = stdout.split('\n').filter((line) => line !== '')
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]))
}
