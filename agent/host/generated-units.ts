// Units that generators made, by the files that they made them of: systemd's own account, whatever a file calls its unit.

import { type Run, whyText } from '../../shared/command.ts'
import { PlumbError } from '../../shared/problem.ts'
import { firstLine, systemctl } from './systemd.ts'

export type GeneratedUnit = { readonly name: string; readonly source: string }

/** Those in memory that come of one of these files. Throws PlumbError when systemd does not answer. */
export async function generatedUnits(sources: ReadonlySet<string>, query: Run): Promise<readonly GeneratedUnit[]> {
  if (sources.size === 0) return []
  const command = systemctl(['show', '--property=Id,SourcePath', '--', '*.service'])
  const result = await query(command)
  if (result.code !== 0)
    throw new PlumbError({
      code: 'observe-failed',
      message: `The units of quadlets cannot be read: ${whyText(command, result, firstLine(result))}.`,
      remedy: 'Is systemd running here? See: systemctl status',
    })
  return result.stdout.split(/\n\n+/).flatMap((block) => {
    const name = /^Id=(.+)$/m.exec(block)?.[1]
    const source = /^SourcePath=(.+)$/m.exec(block)?.[1]
    return name !== undefined && source !== undefined && sources.has(source) ? [{ name, source }] : []
  })
}
