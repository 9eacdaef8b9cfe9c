// Leaves what a verb found where `plumb status` reads it.
import { type Problem, problemsOf } from '../../shared/problem.ts'
import { buildReport, type ReportParts } from '../report/build.ts'
import type { State } from '../state/state.ts'
import { writeStatus } from '../state/status.ts'

/** What kept it from being written: a full disk does not take the answer from who asked. */
export function tellStatus({ directory }: State, found: ReportParts): readonly Problem[] {
  try {
    writeStatus(directory, buildReport(found))
    return []
  } catch (error) {
    return problemsOf(error)
  }
}
