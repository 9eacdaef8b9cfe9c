// Which revision a verb looks at: the one that was named, else the remote's head, else - with the reason told - the last good one.
import { type Problem, problemsOf } from '../../shared/problem.ts'
import type { Agent } from '../look.ts'
import type { RevisionReader } from '../sync/revision.ts'

export type Found = { readonly reader: RevisionReader; readonly problems: readonly Problem[] }

/** Throws PlumbError when there is no revision at all. */
export async function revisionFor(
  { repository }: Agent,
  named: string | undefined,
  { allowRewind }: { readonly allowRewind: boolean } = { allowRewind: false },
): Promise<Found> {
  if (named !== undefined) return { reader: await repository.readerAt(named), problems: [] }
  try {
    return { reader: await repository.sync({ allowRewind }), problems: [] }
  } catch (error) {
    const reader = await repository.lastGood()
    if (reader === undefined) throw error
    return { reader, problems: problemsOf(error) }
  }
}
