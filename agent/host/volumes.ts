// Volumes of the container engine by their names.

import type { Run } from '../../shared/command.ts'
import { engineOf } from './engine.ts'

/** All of the host, or those that compose made for a project. */
export async function volumeNames(query: Run, project?: string): Promise<readonly string[]> {
  const engine = await engineOf(query)
  if (engine === undefined) return []
  const filter = project === undefined ? [] : ['--filter', `label=com.docker.compose.project=${project}`]
  const { stdout } = await query({
    args: [engine.name, 'volume', 'ls', '--quiet', ...filter],
    outputLimitBytes: 4 << 20,
  })
  return stdout.split('\n').filter((name) => name !== '')
}

/** One that another container uses is left: the engine refuses to remove it. */
export async function removeVolumes(names: readonly string[], run: Run): Promise<void> {
  const engine = await engineOf(run)
  if (engine === undefined) return
  for (const name of new Set(names)) await run({ args: [engine.name, 'volume', 'rm', '--', name] })
}
