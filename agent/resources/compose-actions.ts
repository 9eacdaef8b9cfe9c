// What an `up` does to the containers of each service: foreseen before it, seen after it, and both in the same words. Pure.
import type { DeclaredService } from '../host/compose-model.ts'
import type { Container } from '../host/docker.ts'
import { asDeclared, configurationFault, containersText, type Declaration, mountFault } from './compose-state.ts'

export type ContainerAction = {
  readonly service: string
  readonly kind: 'start' | 'start-again' | 'make-anew' | 'scale' | 'remove' | 'build'
  /** Of `scale`. */
  readonly replicas?: number
  /** Of `make-anew`: what differs. */
  readonly why?: string
}

/** `start db`, `make web anew (its mounted app.conf changes)`. */
export function foreseenText({ service, kind, replicas, why }: ContainerAction): string {
  const reason = why === undefined ? '' : ` (${why})`
  switch (kind) {
    case 'start':
      return `start ${service}`
    case 'start-again':
      return `start ${service} again`
    case 'make-anew':
      return `make ${service} anew${reason}`
    case 'scale':
      return `scale ${service} to ${replicas}`
    case 'remove':
      return `remove ${service}`
    case 'build':
      return `build ${service}, and make it anew if its image changes`
  }
}

/** `started db`, `made web anew`. */
export function doneText({ service, kind, replicas }: ContainerAction): string {
  switch (kind) {
    case 'start':
      return `started ${service}`
    case 'start-again':
      return `started ${service} again`
    case 'make-anew':
      return `made ${service} anew`
    case 'scale':
      return `scaled ${service} to ${replicas}`
    case 'remove':
      return `removed ${service}`
    case 'build':
      return `built ${service}`
  }
}

export type Foresight = {
  readonly declared: Declaration
  /** Of each container, targets whose file was replaced since it was mounted. */
  readonly replaced: ReadonlyMap<string, readonly string[]>
  /** Files that are replaced before the `up`. */
  readonly changing: ReadonlySet<string>
  /** By service, mounted files that its containers see as they are to be, also when they are replaced. */
  readonly rightlySeen?: ReadonlyMap<string, ReadonlySet<string>>
  /** Services that compose says it would make anew. */
  readonly recreated?: ReadonlySet<string> | undefined
}

/** Empty when the `up` has nothing to do, and so is not made. */
export function foreseenActions(own: readonly Container[], foresight: Foresight): readonly ContainerAction[] {
  const { declared, replaced } = foresight
  const isDue =
    containersText(own, declared, replaced) !== asDeclared ||
    declared.services.some((service) => service.builds || whyRemounted(service, own, foresight) !== undefined)
  if (!isDue) return []
  const first = servicesOf(own, declared).flatMap((service) => foreseenAction(service, own, foresight) ?? [])
  const dragged = declared.services.flatMap((service) => draggedAlong(service, own, foresight) ?? [])
  const stronger = new Set(first.filter(({ kind }) => kind !== 'start-again').map(({ service }) => service))
  const added = dragged.filter(({ service }) => !stronger.has(service))
  const services = new Set(added.map(({ service }) => service))
  return [...first.filter(({ service }) => !services.has(service)), ...added].toSorted(byService)
}

/** Something depends on what is outdated: what happens to it then is asked of compose, whose versions differ in it. */
export function needsAsking(own: readonly Container[], declared: Declaration): boolean {
  const anew = outdatedServices(own, declared)
  return declared.services.some(({ dependsOn }) => dependsOn.some((other) => anew.has(other)))
}

/** `restarted`: containers that were started meanwhile, by id. */
export function actionsBetween(
  before: readonly Container[],
  after: readonly Container[],
  restarted: ReadonlySet<string> = new Set(),
): readonly ContainerAction[] {
  const services = [...new Set([...before, ...after].map(({ service }) => service))].toSorted()
  return services.flatMap((service): readonly ContainerAction[] => {
    const old = before.filter((container) => container.service === service)
    const now = after.filter((container) => container.service === service)
    if (now.length === 0) return [{ service, kind: 'remove' }]
    if (old.length === 0) return [{ service, kind: 'start' }]
    const kept = now.filter(({ id }) => old.some((container) => container.id === id))
    if (kept.length < Math.min(old.length, now.length)) return [{ service, kind: 'make-anew' }]
    if (old.length !== now.length) return [{ service, kind: 'scale', replicas: now.length }]
    const isStarted = old.some(({ state, id }) => state !== 'running' || restarted.has(id))
    return isStarted ? [{ service, kind: 'start-again' }] : []
  })
}

function servicesOf(own: readonly Container[], { services }: Declaration): readonly string[] {
  return [...new Set([...services.map(({ name }) => name), ...own.map(({ service }) => service)])].toSorted()
}

function foreseenAction(service: string, all: readonly Container[], foresight: Foresight): ContainerAction | undefined {
  const { declared, replaced } = foresight
  const own = all.filter((container) => container.service === service)
  const wanted = declared.services.find(({ name }) => name === service)
  if (wanted === undefined || wanted.replicas === 0) return own.length === 0 ? undefined : { service, kind: 'remove' }
  if (own.length === 0) return { service, kind: 'start' }
  const faults = own.flatMap((container) => configurationFault(wanted, container, declared) ?? [])
  const [fault] = faults
  if (fault !== undefined) return { service, kind: 'make-anew', why: whyAnew(fault, wanted, foresight) }
  const stale = whyRemounted(wanted, own, foresight) ?? mountFault(wanted, own, replaced)
  if (stale !== undefined) return { service, kind: 'make-anew', why: stale }
  if (own.length !== wanted.replicas) return { service, kind: 'scale', replicas: wanted.replicas }
  if (own.some(({ state }) => state !== 'running')) return { service, kind: 'start-again' }
  if (own.some(({ health }) => health === 'unhealthy')) return { service, kind: 'make-anew', why: 'it is unhealthy' }
  return wanted.builds ? { service, kind: 'build' } : undefined
}

/** Not outdated itself, but what it depends on is. */
function draggedAlong(
  { name, dependsOn, restartsWith }: DeclaredService,
  own: readonly Container[],
  { declared, recreated }: Foresight,
): ContainerAction | undefined {
  const anew = outdatedServices(own, declared)
  if (anew.has(name) || !own.some(({ service }) => service === name)) return undefined
  if (recreated?.has(name)) {
    const others = dependsOn.filter((other) => anew.has(other) || recreated.has(other))
    return {
      service: name,
      kind: 'make-anew',
      why: others.length === 0 ? 'compose says so' : `with ${others.join(', ')}`,
    }
  }
  return restartsWith.some((other) => anew.has(other)) ? { service: name, kind: 'start-again' } : undefined
}

function outdatedServices(own: readonly Container[], declared: Declaration): ReadonlySet<string> {
  const outdated = declared.services.filter((service) =>
    own.some(
      (container) =>
        container.service === service.name && configurationFault(service, container, declared) !== undefined,
    ),
  )
  return new Set(outdated.map(({ name }) => name))
}

function whyAnew(fault: string, { mounts }: DeclaredService, { changing }: Foresight): string {
  if (fault === 'other image') return 'its image is another one by now'
  const seen = [...changing].filter((path) =>
    mounts.some(({ source }) => path === source || path.startsWith(`${source}/`)),
  )
  const names = seen.map((path) => path.slice(path.lastIndexOf('/') + 1)).toSorted()
  if (names.length === 0) return 'its configuration changes'
  return `its mounted ${names.slice(0, 3).join(', ')}${names.length > 3 ? ` and ${names.length - 3} more` : ''} ${names.length === 1 ? 'changes' : 'change'}`
}

/** A mount of a single file, or of a config or secret, keeps what it was mounted from when that is replaced by a rename. */
function whyRemounted(
  { name, mounts }: DeclaredService,
  all: readonly Container[],
  { changing, rightlySeen }: Foresight,
): string | undefined {
  const isRight = (source: string) => rightlySeen?.get(name)?.has(source) === true
  const mounted = mounts.find(({ source }) => changing.has(source) && !isRight(source))
  const runs = all.some(({ service, state }) => service === name && state === 'running')
  return runs && mounted !== undefined
    ? `its mounted ${mounted.source.slice(mounted.source.lastIndexOf('/') + 1)} is put right`
    : undefined
}

function byService(one: ContainerAction, other: ContainerAction): number {
  return one.service < other.service ? -1 : 1
}
