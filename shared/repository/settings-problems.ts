// service.yaml against the files of its service and the other services: what one file alone cannot tell is wrong.
import type { ServiceName } from '../names.ts'
import type { Problem } from '../problem.ts'
import { underAgent } from './agent-hazards.ts'
import { invalid, quoted } from './invalid.ts'
import { unitDirectory } from './layout.ts'
import { nearest, suggestion } from './nearest.ts'
import { cyclesIn } from './order.ts'
import { projectProblems, projectPurgeProblems } from './project-problems.ts'
import type { RepositoryService } from './repository.ts'
import { agentUnit, isReserved, reservedBelow, usualPlaceOf } from './reserved.ts'
import type { DirectorySettings } from './service.ts'
import { isTemplateUnit, templateOfUnit } from './unit-names.ts'

/** `ignored`: files of a work tree that would not be committed. */
export function settingsProblems(
  services: ReadonlyMap<ServiceName, RepositoryService>,
  ignored: ReadonlySet<string> = new Set(),
): readonly Problem[] {
  return [
    ...[...services.values()].flatMap((service) => [
      ...afterProblems(service, services),
      ...fileProblems(service, ignored),
      ...directoryProblems(service),
      ...unitProblems(service),
      ...composeProblems(service),
      ...projectProblems(service),
      ...projectPurgeProblems(service, services),
    ]),
    ...cycleProblems(services),
  ]
}

function afterProblems(
  { name, settings, settingsPlace }: RepositoryService,
  services: ReadonlyMap<ServiceName, RepositoryService>,
): readonly Problem[] {
  return settings.after.flatMap((earlier) => {
    if (services.has(earlier)) return []
    const message = `after names the service ${quoted(earlier)}, which the repository does not have`
    const remedy = suggestion(earlier, services.keys(), 'services')
    return [invalid(message, settingsPlace(['after'], earlier), { service: name, remedy })]
  })
}

function cycleProblems(services: ReadonlyMap<ServiceName, RepositoryService>): readonly Problem[] {
  const afterOf = (name: ServiceName) => services.get(name)?.settings.after ?? []
  return cyclesIn([...services.keys()], afterOf).flatMap((cycle) => {
    const [first, next] = cycle
    const service = first === undefined ? undefined : services.get(first)
    if (service === undefined || next === undefined) return []
    const place = service.settingsPlace(['after'], next)
    const message = `services wait for each other: ${cycle.join(' after ')}`
    return [invalid(message, place, { service: service.name, remedy: 'Take one of these out of its `after`.' })]
  })
}

function fileProblems(
  { name, directory, settings, settingsPlace, files, compose }: RepositoryService,
  ignored: ReadonlySet<string>,
) {
  if (settings.files.size === 0) return []
  const onHost = new Map(files.map((file) => [String(file.target), file]))
  const inProject = new Map((compose?.files ?? []).map((file) => [file.target, file]))
  return [...settings.files.keys()].flatMap((key) => {
    const file = onHost.get(key) ?? inProject.get(key)
    if (file?.kind === 'file') return []
    const where = settingsPlace(['files', key])
    if (file?.kind === 'symlink')
      return [
        invalid(`${quoted(key)} is a symlink: it has no mode, owner or content of its own`, where, { service: name }),
      ]
    const meant = nearest(key, [...onHost.keys(), ...inProject.keys()])
    const expected = key.startsWith('/') ? `${directory}/files${key}` : `${directory}/${key}`
    const message = `missing source: the repository has no file for ${quoted(key)}`
    const unit = key.startsWith(`${unitDirectory}/`) ? key.slice(unitDirectory.length + 1) : undefined
    const there = [expected, `${directory}/units/${unit}`].find((path) => ignored.has(path))
    if (there !== undefined) {
      const why = `${there} is there, but git ignores it: add an exception to .gitignore, or take the key away.`
      return [invalid(message, where, { service: name, remedy: why })]
    }
    const remedy = `${meant === undefined ? '' : `Did you mean "${meant}"? `}Expected it at ${expected}.`
    return [invalid(message, where, { service: name, remedy })]
  })
}

function directoryProblems({ name, settings, settingsPlace }: RepositoryService): readonly Problem[] {
  return [...settings.directories].flatMap(([path, { purge, ...wanted }]) => {
    const refuse = (message: string, remedy?: string) => [
      invalid(message, settingsPlace(['directories', path]), { service: name, remedy }),
    ]
    if (isReserved(path)) return refuse(`${path} is the system's or the agent's own`)
    const below = isOpen(wanted) ? reservedBelow(usualPlaceOf(path)) : undefined
    if (below !== undefined)
      return refuse(`${path} holds ${below}, and so stays root's own`, 'Leave its mode and owner as they are.')
    if (!purge || !isTooBroad(path)) return []
    return refuse(`${path} is not purged: too much in it is not the repository's`, 'Name a directory further down.')
  })
}

/** Others than root could exchange what is in it. */
function isOpen({ mode, owner, group }: Pick<DirectorySettings, 'mode' | 'owner' | 'group'>): boolean {
  return !/^(?:root|0)$/.test(owner) || (mode & 0o002) !== 0 || ((mode & 0o020) !== 0 && !/^(?:root|0)$/.test(group))
}

function isTooBroad(path: string): boolean {
  const depth = path === '/' ? 0 : path.split('/').length - 1
  return depth < 2 || (depth === 2 && /^\/(?:usr|var|home|root)\//.test(path)) || path === unitDirectory
}

function composeProblems({ name, directory, settings, settingsPlace, compose }: RepositoryService): readonly Problem[] {
  if (settings.compose === undefined || compose !== undefined) return []
  const message = `compose is for a service with a compose file, and ${directory} has none`
  const remedy = `Add ${directory}/compose.yaml, or take the key away.`
  return [invalid(message, settingsPlace(['compose']), { service: name, remedy })]
}

function unitProblems({ name, directory, settings, settingsPlace, files }: RepositoryService): readonly Problem[] {
  const prefix = `${unitDirectory}/`
  const own = files.flatMap(({ target }) => (target.startsWith(prefix) ? [target.slice(prefix.length)] : []))
  const masks = new Set<string>(
    files.flatMap((file) => (file.kind === 'symlink' && file.link === '/dev/null' ? file.target : [])),
  )
  return [...settings.units].flatMap(([unit, { masked, enabled, state }]) => {
    const refuse = (message: string, remedy: string) => [
      invalid(message, settingsPlace(['units', unit]), { service: name, remedy }),
    ]
    if (masks.has(`${prefix}${unit}`))
      return refuse(
        `${unit} is a link to /dev/null in this service, which is a mask`,
        `Take the link out, and say ${unit}: { masked: true } where a mask is meant.`,
      )
    if (unit === agentUnit && (masked || enabled === false || state === 'stopped'))
      return refuse(
        `${unit} is the agent itself, which does not stop itself`,
        'On the host: systemctl disable --now plumb.service',
      )
    if (underAgent.has(unit) && (masked || state === 'stopped'))
      return refuse(`${unit} is what the agent runs on, with most of the host: it is not stopped by an apply`, takeOut)
    if (endsHost(unit) && !masked && (state === 'running' || (state === undefined && enabled === undefined)))
      return refuse(
        `${unit} ends or restarts the host, or leaves nothing running, and would do so with each apply`,
        `On the host: systemctl start ${unit}. To keep it from being started: ${unit}: { masked: true }`,
      )
    if (isTemplateUnit(unit))
      return refuse(
        `${unit} is a template, which cannot run itself`,
        `Name an instance: ${unit.replace('@.', '@NAME.')}.`,
      )
    if (masked && (enabled === true || state === 'running'))
      return refuse(
        `${unit} is masked, and so cannot be ${enabled === true ? 'enabled' : 'running'}`,
        `Take \`masked\` or \`${enabled === true ? 'enabled' : 'state'}\` out.`,
      )
    if (masked && own.includes(unit))
      return refuse(
        `${unit} is masked, and its file is in this service: a mask takes the place of that file`,
        'Take the file out of the repository, or say `{ enabled: false, state: stopped }`.',
      )
    if (own.includes(templateOfUnit(unit)) || settings.packages.length > 0) return []
    // A unit of the base system is fine; one letter beside a unit of this very service is a slip.
    const others = own.filter((other) => !settings.units.has(other))
    const meant = nearest(unit, others)
    if (meant === undefined) return []
    const remedy = `Did you mean "${meant}"? Expected it at ${directory}/units/${unit}.`
    return refuse(`missing source: the repository has no unit ${quoted(unit)} in this service`, remedy)
  })
}

const takeOut = 'Take it out of service.yaml.'

const ends =
  /^(?:reboot|soft-reboot|poweroff|halt|kexec|exit|shutdown|umount|final|rescue|emergency|suspend|hibernate|hybrid-sleep|suspend-then-hibernate|sleep)$/

/** Such as `reboot.target`, `systemd-reboot.service`, and what old init scripts call them. */
function endsHost(unit: string): boolean {
  const [, name = ''] = /^(?:systemd-)?(.+)\.(?:target|service)$/.exec(unit) ?? []
  return ends.test(name) || /^runlevel[016]\.target$/.test(unit)
}
