// Where paths lead to, links followed; what is not there yet leads to itself.

import { lastLines, type Run, whyText } from '../../shared/command.ts'
import { PlumbError } from '../../shared/problem.ts'

/** In the order asked. */
export async function realPaths(paths: readonly string[], query: Run): Promise<readonly string[]> {
  if (paths.length === 0) return []
  const command = { args: ['realpath', '--canonicalize-missing', '--zero', '--', ...paths], outputLimitBytes: 4 << 20 }
  const result = await query(command)
  const real = result.stdout.split('\0').slice(0, -1)
  if (result.code === 0 && real.length === paths.length) return real
  throw new PlumbError({
    code: 'observe-failed',
    message: `The targets of the mounts of a compose file cannot be resolved: ${whyText(command, result, lastLines(result, 1))}`,
  })
}
