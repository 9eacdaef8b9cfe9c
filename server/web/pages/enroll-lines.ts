// Install lines that were just made, in memory alone: the page that shows one can be loaded again, and does not make
// another.
import { randomBytes } from 'node:crypto'
import type { Enrollment } from '../../agents/enroll.ts'

export type MadeLine = { readonly host: string; readonly enrollment: Enrollment }

export type EnrollLines = {
  /** Returns the id under which it is found for a while. */
  keep(line: MadeLine): string
  find(id: string): MadeLine | undefined
}

export const shownForMinutes = 10
const keptAtMost = 100

export function createEnrollLines(now: () => Date): EnrollLines {
  const lines = new Map<string, { readonly line: MadeLine; readonly until: number }>()
  const forgetOld = () => {
    for (const [id, { until }] of lines) if (until <= now().getTime() || lines.size > keptAtMost) lines.delete(id)
  }
  return {
    keep(line) {
      const id = randomBytes(16).toString('base64url')
      lines.set(id, { line, until: now().getTime() + shownForMinutes * 60_000 })
      forgetOld()
      return id
    },
    find(id) {
      forgetOld()
      return lines.get(id)?.line
    },
  }
}
