// `compose:` of service.yaml against the compose file beside it and the directories of other services.
import type { AbsolutePath, ServiceName } from '../names.ts'
import type { Problem } from '../problem.ts'
import { invalid, quoted } from './invalid.ts'
import type { RepositoryService } from './repository.ts'
import { isReserved } from './reserved.ts'

export function projectProblems(service: RepositoryService): readonly Problem[] {
  const { name, directory, settings, settingsPlace, compose, project } = service
  if (project === undefined || compose === undefined) return []
  const { name: named, from, fault, fitting = fittingName(name) } = project.name
  const file = from === '.env' ? '.env' : compose.file
  const remedy = `Say in service.yaml how it is called: compose: { project: ${fitting} }`
  const misnamed =
    fault === undefined
      ? []
      : [
          invalid(
            `${quoted(named)} as the name of a compose project ${fault}`,
            { file: `${directory}/${file}` },
            { service: name, remedy },
          ),
        ]
  const missing = (settings.compose?.files ?? []).flatMap((path) => {
    if (compose.files.some(({ target, kind }) => target === path && kind === 'file')) return []
    const place = settingsPlace(['compose', 'files'], path)
    const message = `missing source: the repository has no file for ${quoted(path)}`
    return [invalid(message, place, { service: name, remedy: `Expected it at ${directory}/${path}.` })]
  })
  const unread = notReadProblems(service)
  const written = settings.compose?.directory
  const why = written === undefined ? undefined : whyNoProjectDirectory(written)
  if (why === undefined) return [...misnamed, ...missing, ...unread]
  const place = settingsPlace(['compose', 'directory'])
  return [
    ...misnamed,
    ...missing,
    ...unread,
    invalid(`${written} cannot be the directory of a compose project: ${why}`, place, {
      service: name,
      remedy: 'Name a directory that has nothing else in it, such as /srv/compose/NAME or /opt/NAME.',
    }),
  ]
}

/** Compose by hand reads the files that COMPOSE_FILE names; the agent those that service.yaml does. */
function notReadProblems({ name, directory, settings, compose, project }: RepositoryService): readonly Problem[] {
  const files = project?.byHand ?? []
  if (compose === undefined || settings.compose?.files !== undefined) return []
  if (files.length === 1 && files[0] === compose.file) return []
  const message = `COMPOSE_FILE names ${files.map(quoted).join(', ')}, and only ${compose.file} would be read`
  const remedy = `Say in service.yaml which files are read: compose: { files: [${files.join(', ')}] }`
  return [invalid(message, { file: `${directory}/.env` }, { service: name, remedy })]
}

/** What containers write is never purged: it is not the repository's, and it is wanted. */
export function projectPurgeProblems(
  { name, settings, settingsPlace }: RepositoryService,
  services: ReadonlyMap<ServiceName, RepositoryService>,
): readonly Problem[] {
  return [...settings.directories].flatMap(([path, { purge }]) => {
    const inside = purge
      ? [...services.values()].find(({ project }) => isWithin(project?.directory ?? '', path))
      : undefined
    if (inside === undefined) return []
    const message = `${path} is not purged: the compose project of ${inside.name} is in it, and with it what its containers write`
    const remedy = 'Name a directory further down, in which no container writes.'
    return [invalid(message, settingsPlace(['directories', path]), { service: name, remedy })]
  })
}

const systems = [
  '/bin',
  '/boot',
  '/dev',
  '/etc',
  '/lib',
  '/lib64',
  '/proc',
  '/run',
  '/sbin',
  '/sys',
  '/usr',
  '/var/run',
]
const shared = ['/', '/home', '/media', '/mnt', '/root', '/tmp', '/usr/local', '/var', '/var/lib', '/var/tmp']

function whyNoProjectDirectory(directory: AbsolutePath): string | undefined {
  if (isReserved(directory)) return "it is the system's or the agent's own"
  if (directory.startsWith('/usr/local/') || /^\/etc\/[^/]/.test(directory)) return undefined
  if (shared.includes(directory)) return 'it is shared with others'
  return systems.some((system) => isWithin(directory, system)) ? "it is the system's" : undefined
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory === '/' ? '/' : `${directory}/`)
}

function fittingName(service: string): string {
  return service.toLowerCase().replace(/[^a-z0-9_-]+/g, '-')
}
