// Where a file of the repository is on hosts, by its path alone: also of a file that is in the repository no more.
import { projectsDirectory } from './compose-project.ts'
import { unitDirectory } from './layout.ts'

/** Where older agents had the projects of compose files. */
const formerProjects = '/var/lib/plumb/compose'

/** Empty for what is on no host. `project`: the directory that service.yaml names for the compose project. */
export function hostPlaces(source: string, project?: string): readonly string[] {
  const [services, service, place = '', ...rest] = source.split('/')
  if (services !== 'services' || service === undefined || place === '') return []
  if (place === 'files') return rest.length === 0 ? [] : [`/${rest.join('/')}`]
  if (place === 'units') return rest.length === 0 ? [] : [`${unitDirectory}/${rest.join('/')}`]
  if (rest.length === 0 && (place === 'README.md' || place === 'service.yaml')) return []
  const projects = [project ?? `${projectsDirectory}/${service}`, `${formerProjects}/${service}`]
  return projects.map((directory) => [directory, place, ...rest].join('/'))
}
