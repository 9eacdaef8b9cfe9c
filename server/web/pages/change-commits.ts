// The commit behind each file that recent applies changed: in, a host and the views; out, commits by the repository's path.
import type { ApplyReport } from '../../../shared/report.ts'
import type { CommitView, Views } from '../../show/views.ts'

/** Looking one up walks history: more than this on one page would keep a reader waiting. */
const sourcesLookedUp = 60

export async function commitsBySource(
  views: Views,
  applies: readonly ApplyReport[],
): Promise<ReadonlyMap<string, CommitView>> {
  const sources = applies.flatMap((apply) => apply.changes.flatMap((change) => change.source ?? []))
  const wanted = [...new Set(sources)].slice(0, sourcesLookedUp)
  const found = await Promise.all(wanted.map(async (source) => ({ source, paths: await views.why(source) })))
  return new Map(
    found.flatMap(({ source, paths }) => {
      const why = paths.find((path) => path.source === source)?.why
      return why === undefined ? [] : [[source, why]]
    }),
  )
}

/** A commit made after the apply is what the file holds now, not what that apply wrote. */
export function wroteIt(commit: CommitView, apply: ApplyReport): boolean {
  return Date.parse(commit.at) <= Date.parse(apply.at)
}
