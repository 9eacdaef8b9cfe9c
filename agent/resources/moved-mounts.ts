// What a project's containers have mounted now, against what they would have: another source under the same path is other data. So is a
// mount above or below it, which covers what was seen there. Pure.
import { PlumbError } from '../../shared/problem.ts'
import type { ComposeResource } from '../../shared/resource.ts'
import type { DeclaredService } from '../host/compose-model.ts'
import { type HeldMount, isAnonymous } from '../host/container-mounts.ts'
import type { Container } from '../host/docker.ts'
import type { Predecessor } from './predecessors.ts'

export type MovedMount = {
  readonly service: string
  readonly target: string
  /** A path, a volume, or a directory of a volume as `app_db/directory`. */
  readonly from: string
  /** Undefined: a volume that the engine makes for the new container. */
  readonly to: string | undefined
  /** What is mounted is the repository's: no data of the containers is left behind. */
  readonly isManaged: boolean
  /** Whose containers have it now, where that is another service. */
  readonly former?: Pick<Predecessor, 'project' | 'service' | 'directory'>
}

/** What a container has at a path, and what it would have there. */
export type MountChange = {
  readonly held: HeldMount
  readonly next: NextMount
  /** A new mount covers what is held above it: where the host has that. Other data only if there is any. */
  readonly covered?: string
  readonly former?: Predecessor
}

export type NextMount = {
  readonly kind: 'bind' | 'volume' | 'volatile'
  readonly target: string
  /** Undefined: a volume without a name. */
  readonly source: string | undefined
  readonly subpath?: string
}

export type Places = {
  /** Where paths lead, links followed. */
  readonly real: (path: string) => string
  /** Whether there is anything at a path of the host; default: always. */
  readonly hasContent?: (path: string) => boolean
}

/** Every mount of a declared service's containers that has something else in its place, above it or below it. */
export function mountChanges(held: readonly HeldMount[], services: readonly DeclaredService[]): readonly MountChange[] {
  return services.flatMap((service) => {
    const next = nextMounts(service)
    const own = held.filter((mount) => mount.service === service.name)
    return [...own.flatMap((mount) => inPlaceOf(mount, own, next)), ...next.flatMap((mount) => covering(mount, own))]
  })
}

/** Of services that go, what those that take their place would have instead, where none of them has the same. */
export function predecessorChanges(
  predecessors: readonly Predecessor[],
  services: readonly DeclaredService[],
  { real }: Places,
): readonly MountChange[] {
  return predecessors.flatMap((former) => {
    const successors = services.filter(({ name }) => former.successors.includes(name))
    const changes = successors.flatMap((service) => changesAs(former, service))
    const isKept = ({ held, next, covered }: MountChange) =>
      covered === undefined && next.source !== undefined && isSame(held, next, real)
    const kept = new Set(changes.filter(isKept).map(({ held }) => held.target))
    return changes.filter(({ held }) => !kept.has(held.target)).map((change) => ({ ...change, former }))
  })
}

/** As if the containers of the one were the other's. */
function changesAs(former: Predecessor, service: DeclaredService): readonly MountChange[] {
  const held = former.held.map((mount) => ({ ...mount, service: service.name }))
  const changes = mountChanges(held, [service])
  // Compose hands no volume on from one service to another.
  const lost = held.filter((mount) => isAnonymous(mount) && !changes.some((change) => change.held === mount))
  return [...changes, ...lost.map((mount) => ({ held: mount, next: newVolumeAt(mount.target) }))]
}

export function movedMounts(
  changes: readonly MountChange[],
  files: ComposeResource['files'],
  { real, hasContent = () => true }: Places,
): readonly MovedMount[] {
  const moved = changes.flatMap(({ held, next, covered, former }): readonly MovedMount[] => {
    // Compose hands a volume without a name on to the container that takes the place.
    const isHandedOn = covered === undefined && former === undefined && next.source === undefined && isAnonymous(held)
    if (isHandedOn || isSame(held, next, real) || (covered !== undefined && !hasContent(covered))) return []
    const { service, target } = held
    const isManaged = next.kind === 'bind' && isOfRepository(next.source, held, files)
    const about = { service, target, from: partText(held) ?? '', to: partText(next), isManaged }
    if (former === undefined) return [about]
    const { project, directory } = former
    return [{ ...about, former: { project, service: former.service, directory } }]
  })
  return [...new Map(moved.map((one) => [JSON.stringify(one), one])).values()]
}

export function refusedMoves({ moveMounts }: ComposeResource, moved: readonly MovedMount[]): readonly MovedMount[] {
  return moved.filter(({ isManaged, from }) => !isManaged && !moveMounts.includes(from))
}

export function moveRefusal(desired: ComposeResource, moved: readonly MovedMount[]): PlumbError | undefined {
  const { project, file } = desired
  const refused = refusedMoves(desired, moved)
  if (refused.length === 0) return undefined
  const texts = refused.map(
    (one) => `${holderText(one, project)} has ${one.from} mounted at ${one.target}, and ${wouldText(one, project)}`,
  )
  const sources = [...new Set(refused.map(({ from }) => from))]
  const projects = [...new Set([project, ...refused.flatMap(({ former }) => former?.project ?? [])])]
  return new PlumbError({
    code: 'unsafe-path',
    message:
      `The containers of ${listText(projects)} are left as they are, since they would see other data: ${texts.join('; ')}.`.slice(
        0,
        4000,
      ),
    where: { file },
    remedy:
      `${stayText(desired, refused)}To take the data along: stop the project (docker compose --project-name ${projects.at(-1)} down), move or copy it, apply again. If it is not needed: compose: { moveMounts: [${sources.map(yamlText).join(', ')}] }`.slice(
        0,
        2000,
      ),
  })
}

/** By service: `mounts /srv/a instead of /opt/a at /data`. */
export function movedTexts(moved: readonly MovedMount[]): ReadonlyMap<string, string> {
  const texts = [...Map.groupBy(moved, ({ service }) => service)].map(([service, own]) => {
    const named = own.slice(0, 3).map((one) => `${toText(one)} instead of ${one.from} at ${one.target}`)
    const more = own.length > 3 ? ` and ${own.length - 3} more` : ''
    return [service, `mounts ${named.join(', ')}${more}`] as const
  })
  return new Map(texts)
}

/** Another project has the containers that this one would have: both cannot run, and each has volumes of its own. */
export function otherProjectRefusal(
  { project, file, replaceProject }: ComposeResource,
  services: readonly DeclaredService[],
  containers: readonly Container[],
): PlumbError | undefined {
  const names = new Set(services.flatMap(({ containerName }) => containerName ?? []))
  const other = containers.find(
    (one) => one.project !== project && one.project !== replaceProject && (one.file === file || names.has(one.name)),
  )
  if (other === undefined) return undefined
  return new PlumbError({
    code: 'unsafe-path',
    message: `${project} is not brought up: the container ${other.name} is of the compose project ${other.project}, which runs from ${other.file}. As ${project} it would have volumes of its own, without the data.`,
    where: { file },
    remedy: `Keep its name: compose: { project: ${other.project} }. If its data is not needed: compose: { replaceProject: ${other.project} }`,
  })
}

/** What is mounted at no path any more is for the compose file to say. */
function inPlaceOf(held: HeldMount, own: readonly HeldMount[], next: readonly NextMount[]): readonly MountChange[] {
  if (held.kind === 'volatile') return []
  const here = next.find((one) => isAt(one, held.target))
  if (here !== undefined) return [{ held, next: here }]
  const above = nearestAbove(next, held.target)
  // One that was there before covers nothing. A volume of the image is handed on, and mounted over the new one.
  if (above === undefined || own.some((one) => isAt(one, above.target)) || isAnonymous(held)) return []
  return [{ held, next: partAt(above, held.target) }]
}

/** A mount that is new, over a part of what is mounted above it. */
function covering(next: NextMount, own: readonly HeldMount[]): readonly MountChange[] {
  if (own.some((one) => isAt(one, next.target))) return []
  const above = nearestAbove(own, next.target)
  if (above === undefined || above.kind === 'volatile') return []
  const { place, ...held } = partAt(above, next.target)
  return place === undefined ? [] : [{ held: { ...held, place }, next, covered: place }]
}

function nextMounts({ mounts, volumes, volatile }: DeclaredService): readonly NextMount[] {
  return [
    ...mounts.map((mount) => ({ ...mount, kind: 'bind' as const })),
    ...volumes.map(({ name, ...volume }) => ({ ...volume, kind: 'volume' as const, source: name })),
    ...volatile.map((target) => ({ kind: 'volatile' as const, target, source: 'memory or an image' })),
  ]
}

function newVolumeAt(target: string): NextMount {
  return { kind: 'volume', target, source: undefined }
}

function isAt(one: { readonly target: string }, target: string): boolean {
  return withoutSlash(one.target) === withoutSlash(target)
}

/** Of those above a path, the deepest. */
function nearestAbove<M extends { readonly target: string }>(mounts: readonly M[], target: string): M | undefined {
  return mounts
    .filter((one) => !isAt(one, target) && isWithin(target, one.target))
    .toSorted((one, other) => withoutSlash(other.target).length - withoutSlash(one.target).length)[0]
}

type Part = {
  readonly kind: string
  readonly target: string
  readonly source: string | undefined
  readonly subpath?: string
  readonly place?: string
}

/** What a mount has at a path below its target. */
function partAt<M extends Part>(mount: M, target: string): M {
  const rest = withoutSlash(target).slice(withoutSlash(mount.target).replace(/^\/$/, '').length)
  const place = mount.place === undefined ? {} : { place: `${mount.place}${rest}` }
  const source = mount.kind === 'bind' ? { source: `${mount.source}${rest}` } : {}
  const subpath =
    mount.kind === 'volume' && mount.source !== undefined ? { subpath: `${mount.subpath ?? ''}${rest}` } : {}
  return { ...mount, target, ...source, ...subpath, ...place }
}

function isSame(held: HeldMount, next: NextMount, real: (path: string) => string): boolean {
  if (held.kind !== next.kind || partOf(held) !== partOf(next)) return false
  return held.source === next.source || (held.kind === 'bind' && real(held.source) === real(next.source ?? ''))
}

/** `./a/`, `a//b` and `/a` are what the engine makes of them. */
function partOf({ subpath = '' }: Pick<NextMount, 'subpath'>): string {
  return subpath
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/')
}

function partText({ source, ...mount }: Pick<NextMount, 'source' | 'subpath'>): string | undefined {
  const part = partOf(mount)
  return source === undefined || part === '' ? source : `${source}/${part}`
}

function isOfRepository(
  source: string | undefined,
  { isWritable }: HeldMount,
  files: ComposeResource['files'],
): boolean {
  return files.some(({ path }) => path === source || (!isWritable && path.startsWith(`${source}/`)))
}

function toText({ to }: MovedMount): string {
  return to ?? 'a new volume'
}

function holderText({ service, former }: MovedMount, project: string): string {
  if (former === undefined) return service
  return former.project === project ? former.service : `${former.service} of ${former.project}`
}

function wouldText(one: MovedMount, project: string): string {
  if (one.former === undefined) return `would have ${toText(one)}`
  const successor = one.former.project === project ? one.service : `${one.service} of ${project}`
  return `${successor}, which takes its place, would have ${toText(one)}`
}

/** How everything keeps running with the data it has. */
function stayText({ directory, project }: ComposeResource, refused: readonly MovedMount[]): string {
  const formers = refused.flatMap(({ former }) => former ?? [])
  const [other] = formers.filter((former) => former.project !== project)
  if (other !== undefined) {
    const { project: name, directory: old } = other
    return `To have ${name} run on with its data, as this service: compose: { project: ${name}, directory: ${old} }. If none of its data is needed: compose: { replaceProject: ${name} }. `
  }
  if (formers.length > 0)
    return 'To keep the data: keep the name of the service and of its volumes, or mount in the new one what the old one has. '
  const old = oldDirectory(refused, directory)
  return old === undefined ? '' : `To have the project run where it runs now: compose: { directory: ${old} }. `
}

/** Where relative paths were relative to, when that explains every move. */
function oldDirectory(moved: readonly MovedMount[], directory: string): string | undefined {
  const olds = moved.map(({ from, to }) => {
    const below = to?.startsWith(`${directory}/`) ? to.slice(directory.length) : undefined
    return below !== undefined && from.endsWith(below) ? from.slice(0, -below.length) : undefined
  })
  const [first] = olds
  return first?.startsWith('/') && !first.startsWith('/var/lib/plumb') && olds.every((one) => one === first)
    ? first
    : undefined
}

function yamlText(source: string): string {
  return /^[\w./-]+$/.test(source) ? source : JSON.stringify(source)
}

function listText(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`
}

function isWithin(path: string, directory: string): boolean {
  const [one, other] = [withoutSlash(path), withoutSlash(directory)]
  return one === other || other === '/' || one.startsWith(`${other}/`)
}

function withoutSlash(path: string): string {
  return path.replace(/(?<=.)\/+$/, '')
}
