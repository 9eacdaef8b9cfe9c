// What lint says besides problems: a host takes the revision, but most likely not as it was meant.
import type { Place } from '../../shared/problem.ts'

export type LintWarning = {
  /** Stable; one for each kind. */
  readonly code: string
  readonly message: string
  readonly where: Place
  readonly remedy: string
  readonly service?: string
}
