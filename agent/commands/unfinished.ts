// An apply that is under way, or ended halfway: what a look finds then is of its middle, and is said to be.
import { type Problem, problemsOf } from '../../shared/problem.ts'
import type { State } from '../state/state.ts'

export async function unfinishedApply({ journal, lock }: State): Promise<readonly Problem[]> {
  if (journal.read().length === 0) return []
  try {
    const held = await lock({ purpose: 'a look', now: new Date() })
    held.release()
    return journal.read().length === 0 ? [] : [halfway]
  } catch (error) {
    return problemsOf(error)
  }
}

const halfway: Problem = {
  code: 'apply-failed',
  message:
    'an apply was interrupted: what is found here is of its middle, and is put back before anything else is done.',
  remedy: 'The agent does that with its next look, plumb apply at once.',
}
