// The first phase of an apply: nothing of an earlier one may be left, and the connectivity guard is on disk before anything changes.
import { PlumbError } from '../../shared/problem.ts'
import type { Plan } from '../plan/plan.ts'
import type { ReadContents } from '../resources/kind.ts'
import { archiveLimitBytes } from '../state/archive.ts'
import type { ObjectStore } from '../state/objects.ts'
import type { ApplyContext, ApplyOptions } from './context.ts'
import { arm } from './guard.ts'
import { readJournal } from './journal.ts'
import { NewParents } from './shared-changes.ts'

export async function start(plan: Plan, options: ApplyOptions): Promise<ApplyContext> {
  const { state, contents, guarding } = options
  const { ofServices, ofApply } = readJournal(state.journal)
  if (ofServices.length + ofApply.length > 0) throw interrupted(state.directory)
  const isChange = plan.services.some(({ steps }) => steps.length > 0)
  return {
    ...options,
    plan,
    contents: keepingRendered(contents, state.objects),
    guard: isChange ? await arm(guarding, state.journal) : undefined,
    newParents: new NewParents(plan.services),
    budget: { bytes: archiveLimitBytes },
    taken: new Map(),
    settling: new Map(),
    outcomes: new Map(),
    committed: [],
    baselines: new Map(),
    problems: [],
    halfUndone: new Set(),
  }
}

/** A larger file's diff is not made (observe/contents.ts). */
const keptBytes = 1024 * 1024

/** Rendered content is kept when it is applied: one side of the diff when it drifts. The repository's own content is in the clone. */
function keepingRendered(read: ReadContents, objects: ObjectStore): ReadContents {
  return async (sources) => {
    for (const source of sources)
      if (source.kind === 'rendered' && source.bytes.length <= keptBytes) objects.put(source.bytes)
    return read(sources)
  }
}

function interrupted(directory: string): PlumbError {
  return new PlumbError({
    code: 'internal',
    message: 'an earlier apply was interrupted and has not been recovered.',
    where: { file: directory },
    remedy: 'Restart the agent: it recovers first.',
  })
}
