// The latest report, kept where `plumb status` finds it without asking anybody.
import { join } from 'node:path'
import { readIfThere, removeIfThere, replaceFile } from '../../shared/platform/durable.ts'
import { type Report, reportSchema } from '../../shared/report.ts'

/** Undefined before the first pass, or when it cannot be read: the next pass writes it again. */
export function readStatus(stateDirectory: string): Report | undefined {
  const text = readIfThere(pathIn(stateDirectory))?.toString('utf8')
  if (text === undefined) return undefined
  try {
    return reportSchema.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}

/** What an earlier check found is no answer any more, whether this one's has room or not. */
export function writeStatus(stateDirectory: string, report: Report): void {
  const path = pathIn(stateDirectory)
  try {
    replaceFile({ path, content: `${JSON.stringify(report)}\n` })
  } catch (error) {
    removeIfThere(path)
    throw error
  }
}

function pathIn(stateDirectory: string): string {
  return join(stateDirectory, 'status.json')
}
