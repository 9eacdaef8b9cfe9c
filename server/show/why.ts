// show: the commit that explains a path, and each of its lines.
import type { Revision } from '../../shared/names.ts'
import { hostPlaces } from '../../shared/repository/host-places.ts'
import { lineOfBlame } from '../../shared/why.ts'
import type { FleetSource } from '../app/fleet.ts'
import type { FleetClone } from '../repository/clone.ts'
import type { Db } from '../store/tables.ts'
import { onHostOf } from './on-host.ts'
import { pathsAt } from './paths.ts'
import type { PathView, WhyAsked } from './views.ts'

export type WhyParts = {
  readonly db: Db
  readonly source: Pick<FleetSource, 'state'>
  readonly clone: Pick<FleetClone, 'commit' | 'lastCommits' | 'removals' | 'history' | 'blame'>
}

/** Upper bound on listed paths below a directory. */
const pathsShown = 500

export async function whyView(parts: WhyParts, path: string, asked: WhyAsked): Promise<readonly PathView[]> {
  const { source, clone } = parts
  const state = source.state()
  const revision = asked.revision ?? state.head?.revision
  if (revision === undefined || (await clone.commit(revision)) === undefined) return []
  const present = await viewsAt(parts, path, { ...asked, revision })
  const askedAt = { ...asked, revision }
  const gone =
    present.length > 0 ? [] : [...(await leftAt(parts, path, askedAt)), ...(await removedAt(parts, path, revision))]
  const views = [...present, ...gone]
  return Promise.all(
    views.map(async (view) =>
      isFile(view, path)
        ? { ...view, ...(await linesOf(parts, view, { ...asked, revision })), ...(await onHost(parts, view, asked)) }
        : view,
    ),
  )
}

/** For the head, all paths are known from one cached walk; for another revision, only the requested file is read. */
async function viewsAt({ source, clone }: WhyParts, path: string, asked: AskedAt): Promise<readonly PathView[]> {
  const state = source.state()
  const { host, revision } = asked
  if (revision === state.head?.revision) {
    const commits = await clone.lastCommits(revision, '')
    return pathsAt(path, { state, host, commits }).slice(0, pathsShown)
  }
  const named = pathsAt(path, { state, host, commits: new Map() })
  const sources = path.startsWith('/') ? named.filter((view) => view.path === path).map((view) => view.source) : [path]
  const known = await Promise.all(
    sources.map(async (file) => [file, (await clone.history(revision, file, 1))[0]] as const),
  )
  const commits = new Map(known.flatMap(([file, commit]) => (commit === undefined ? [] : [[file, commit] as const])))
  return pathsAt(path, { state, host, commits }).filter((view) => isFile(view, path))
}

/** Paths whose service left the host, from the events of the path; the repository still has the file. */
async function leftAt(parts: WhyParts, path: string, asked: AskedAt): Promise<readonly PathView[]> {
  const { host, history } = asked
  if (host === undefined || history !== true) return []
  const elsewhere = await viewsAt(parts, path, { ...asked, host: undefined })
  const files = elsewhere.filter((view) => isFile(view, path))
  const known = await Promise.all(files.map((view) => onHostOf(parts.db, host, view)))
  return files.filter((_, index) => known[index]?.events.some(({ kind }) => kind === 'left') === true)
}

/** Paths that were removed from the repository. */
async function removedAt({ clone }: WhyParts, path: string, revision: Revision): Promise<readonly PathView[]> {
  const removals = [...(await clone.removals(revision))]
  const there = removals.filter(([source]) => source === path || hostPlaces(source).includes(path))
  return there.slice(0, pathsShown).map(([source, removed]) => ({ path, source, removed }))
}

type AskedAt = WhyAsked & { readonly revision: Revision }

/** The requested path itself, not a file below it. */
function isFile({ path, source }: PathView, asked: string): boolean {
  return path === asked || source === asked
}

async function linesOf(
  { clone }: WhyParts,
  { source, removed }: PathView,
  { lines, revision }: AskedAt,
): Promise<Pick<PathView, 'line' | 'blame'>> {
  const isAsked = lines !== undefined && removed === undefined
  const blame = isAsked ? await clone.blame(revision, source) : undefined
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
