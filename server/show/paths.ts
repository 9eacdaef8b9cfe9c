// Where the files of a service live on a host, and the commit of each.
import { compact } from '../../shared/compact.ts'
import type { HostName } from '../../shared/names.ts'
import { servicesFor } from '../../shared/repository/assign.ts'
import { hostPlaces } from '../../shared/repository/host-places.ts'
import type { RepositoryService } from '../../shared/repository/repository.ts'
import { usualPlaceOf } from '../../shared/repository/reserved.ts'
import type { FleetState } from '../app/fleet.ts'
import type { CommitView, PathView } from './views.ts'

export type Commits = ReadonlyMap<string, CommitView>

/** Files that travel with a compose file are known by their path in the repository. */
export function pathsOf(service: RepositoryService, commits: Commits): readonly PathView[] {
  const placed = service.files.map(({ target, source }) => ({ path: target, source }))
  const travelling = (service.compose?.files ?? []).map(({ source }) => ({ path: source, source }))
  return [...placed, ...travelling]
    .map(({ path, source }) => pathView(path, source, commits))
    .sort((one, other) => (one.path < other.path ? -1 : 1))
}

/**
 * Matches a path of the repository, or a path on a host that a service (of that host) manages. A directory matches
 * everything below it.
 */
export function pathsAt(
  asked: string,
  {
    state,
    host,
    commits,
  }: { readonly state: FleetState; readonly host: HostName | undefined; readonly commits: Commits },
): readonly PathView[] {
  const trimmed = asked.length > 1 ? asked.replace(/\/+$/, '') : asked
  const path = trimmed.startsWith('/') ? usualPlaceOf(trimmed) : trimmed
  const isAt = (candidate: string) => candidate === path || candidate.startsWith(path === '/' ? '/' : `${path}/`)
  const services = servicesOf(state, host)
  const known = services.flatMap((service) => pathsOf(service, commits))
  if (path.startsWith('/')) {
    const projects = new Map(services.map(({ directory, settings }) => [directory, settings.compose?.directory]))
    return known.flatMap((view) => {
      if (view.path.startsWith('/')) return isAt(usualPlaceOf(view.path)) ? [view] : []
      const project = projects.get(view.source.split('/', 2).join('/'))
      const place = hostPlaces(view.source, project).find(isAt)
      return place === undefined ? [] : [{ ...view, path: place }]
    })
  }
  const bySource = new Map(known.map((view) => [view.source, view]))
  const sources = [...commits.keys()].filter(isAt).sort()
  return sources.map((source) => bySource.get(source) ?? pathView(source, source, commits))
}

function servicesOf(state: FleetState, host: HostName | undefined): readonly RepositoryService[] {
  if (host === undefined) return [...state.services.values()]
  const assigned = servicesFor(state.fleet, host)
  if (assigned.kind === 'unknown') return []
  return assigned.services.flatMap((service) => state.services.get(service) ?? [])
}

function pathView(path: string, source: string, commits: Commits): PathView {
  const why = commits.get(source)
  return { path, source, ...compact({ why }) }
}
