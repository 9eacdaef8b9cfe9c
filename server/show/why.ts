// show: why a path is as it is - the commit behind it, and behind each of its lines.
import type { Revision } from '../../shared/names.ts'
import { lineOfBlame } from '../../shared/why.ts'
import type { FleetSource } from '../fleet.ts'
import type { FleetClone } from '../repository/clone.ts'
import type { Db } from '../store/tables.ts'
import { onHostOf } from './on-host.ts'
import { pathsAt } from './paths.ts'
import type { PathView, WhyAsked } from './views.ts'

export type WhyParts = {
  readonly db: Db
  readonly source: Pick<FleetSource, 'state'>
  readonly clone: Pick<FleetClone, 'commit' | 'lastCommits' | 'blame'>
}

/** What is below a directory is listed so far. */
const pathsShown = 500

export async function whyView(parts: WhyParts, path: string, asked: WhyAsked): Promise<readonly PathView[]> {
  const { source, clone } = parts
  const state = source.state()
  const revision = asked.revision ?? state.head?.revision
  if (revision === undefined || (await clone.commit(revision)) === undefined) return []
  const commits = await clone.lastCommits(revision, '')
  const views = pathsAt(path, { state, host: asked.host, commits }).slice(0, pathsShown)
  return Promise.all(
    views.map(async (view) =>
      isFile(view, path)
        ? { ...view, ...(await linesOf(parts, view, { ...asked, revision })), ...(await onHost(parts, view, asked)) }
        : view,
    ),
  )
}

/** And not a file below the directory that was asked for. */
function isFile({ path, source }: PathView, asked: string): boolean {
  return path === asked || source === asked
}

async function linesOf(
  { clone }: WhyParts,
  { source }: PathView,
  { lines, revision }: WhyAsked & { readonly revision: Revision },
): Promise<Pick<PathView, 'line' | 'blame'>> {
  const blame = lines === undefined ? undefined : await clone.blame(revision, source)
  if (lines === undefined || blame === undefined) return {}
  return lines === 'all' ? { blame } : { line: lineOfBlame(blame, lines) }
}

async function onHost(
  { db }: WhyParts,
  view: PathView,
  { host, history }: WhyAsked,
): Promise<Pick<PathView, 'onHost'>> {
  const onHost = host === undefined || history !== true ? undefined : await onHostOf(db, host, view)
  return onHost === undefined ? {} : { onHost }
}
