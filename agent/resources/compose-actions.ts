// What an `up` does to the containers of each service: foreseen before it, seen after it, and both in the same words. Pure.
import type { DeclaredService } from '../host/compose-model.ts'
import type { Container } from '../host/docker.ts'
import { configurationFault, containerFaults, type Declaration, mountFault } from './compose-state.ts'
import type { ContainerFault } from './kind.ts'

export type ContainerAction = {
  readonly service: string
  readonly kind: 'start' | 'start-again' | 'recreate' | 'scale' | 'remove' | 'build'
  /** Of `scale`. */
  readonly replicas?: number
  /** Of `recreate`: what differs. */
  readonly why?: string
}

/** `start db`, `recreate web (its mounted app.conf changes)`. */
export function foreseenText({ service, kind, replicas, why }: ContainerAction): string {
  const reason = why === undefined ? '' : ` (${why})`
  switch (kind) {
    case 'start':
      return `start ${service}`
    case 'start-again':
      return `start ${service} again`
    case 'recreate':
      return `recreate ${service}${reason}`
    case 'scale':
      return `scale ${service} to ${replicas}`
    case 'remove':
      return `remove ${service}`
    case 'build':
      return `build ${service}, and recreate it if its image changes`
  }
}

/** `started db`, `recreated web`. */
export function doneText({ service, kind, replicas }: ContainerAction): string {
  switch (kind) {
    case 'start':
      return `started ${service}`
    case 'start-again':
      return `started ${service} again`
    case 'recreate':
      return `recreated ${service}`
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
  /** By service, what its containers mount instead of what they have now. */
  readonly moved?: ReadonlyMap<string, string>
  /** Services that compose says it would make anew. */
  readonly recreated?: ReadonlySet<string> | undefined
}

/** Empty when the `up` has nothing to do, and so is not made. */
export function foreseenActions(own: readonly Container[], foresight: Foresight): readonly ContainerAction[] {
  const { declared, replaced } = foresight
  const isDue =
    containerFaults(own, declared, { replaced }).length > 0 ||
    declared.services.some((service) => service.builds || whyRemounted(service, own, foresight) !== undefined)
  if (!isDue) return []
  const first = servicesOf(own, declared).flatMap((service) => foreseenAction(service, own, foresight) ?? [])
  const { dragged, again } = draggedBy(first, own, foresight)
  const stronger = new Set(first.filter(({ kind }) => kind !== 'start-again').map(({ service }) => service))
  const added = dragged.filter(({ service }) => !stronger.has(service))
  const services = new Set(added.map(({ service }) => service))
  return [...first.filter(({ service }) => !services.has(service)), ...added, ...again].toSorted(byService)
}

type Dragged = { readonly dragged: readonly ContainerAction[]; readonly again: readonly ContainerAction[] }

/** What happens for what happens to others. A job that has ended well takes part once something that depends on it is started. */
function draggedBy(first: readonly ContainerAction[], own: readonly Container[], foresight: Foresight): Dragged {
  const { declared } = foresight
  const resting = new Set(endedJobs(own, foresight))
  const again = new Set<string>()
  for (;;) {
    const recreated = foresight.recreated && recreatedWithout(resting, foresight.recreated, own, declared)
    const dragged = declared.services.flatMap((service) =>
      resting.has(service.name) ? [] : (draggedAlong(service, own, { ...foresight, recreated }) ?? []),
    )
    const started = startedFor([...first, ...dragged], declared).filter((name) => resting.has(name))
    for (const name of started) {
      resting.delete(name)
      again.add(name)
    }
    if (started.length > 0) continue
    const others = [...again].filter((name) => !dragged.some(({ service }) => service === name))
    return { dragged, again: others.map((service) => ({ service, kind: 'start-again' })) }
  }
}

/** Of what compose would make anew in an `up` of everything, what it makes anew in one without those jobs. */
function recreatedWithout(
  resting: ReadonlySet<string>,
  recreated: ReadonlySet<string>,
  own: readonly Container[],
  declared: Declaration,
): ReadonlySet<string> {
  const anew = outdatedServices(own, declared)
  const found = new Set<string>()
  const isDragged = ({ name, dependsOn }: DeclaredService) => {
    const reasons = dependsOn.filter((other) => anew.has(other) || recreated.has(other))
    return !resting.has(name) && (reasons.length === 0 || reasons.some((other) => anew.has(other) || found.has(other)))
  }
  for (let size = -1; size < found.size; ) {
    size = found.size
    for (const service of declared.services)
      if (recreated.has(service.name) && isDragged(service)) found.add(service.name)
  }
  return found
}

/**
 * The services that the `up` is for, where a job that has ended well is to stay as it is: without it, and without what depends on it,
 * since compose starts what a service depends on. Undefined: all.
 */
export function servicesToBringUp(
  own: readonly Container[],
  actions: readonly ContainerAction[],
  foresight: Pick<Foresight, 'declared' | 'replaced'>,
): readonly string[] | undefined {
  const { services } = foresight.declared
  const touched = new Set(actions.map(({ service }) => service))
  const resting = [...endedJobs(own, foresight)].filter((name) => !touched.has(name))
  if (resting.length === 0) return undefined
  const names = services.map(({ name }) => name)
  return names.filter((name) => !resting.some((job) => requiredBy(name, services).has(job)))
}

/** Whether an `up` of the whole project would run a job again. */
export function hasEndedJobs(own: readonly Container[], foresight: Pick<Foresight, 'declared' | 'replaced'>): boolean {
  return endedJobs(own, foresight).size > 0
}

/** Containers that no `up` removes: of services that the compose file has no more, or none of, or in a profile that is not active. */
export function undeclaredContainers(own: readonly Container[], { services }: Declaration): readonly Container[] {
  const wanted = new Set(services.filter(({ replicas }) => replicas > 0).map(({ name }) => name))
  return own.filter(({ service }) => !wanted.has(service))
}

/** Services that are meant to end, did so well, and are as declared. */
function endedJobs(
  all: readonly Container[],
  { declared, replaced }: Pick<Foresight, 'declared' | 'replaced'>,
): ReadonlySet<string> {
  const jobs = declared.services.filter((service) => {
    const own = all.filter((container) => container.service === service.name)
    const isAsItWas = own.every((container) => configurationFault(service, container, declared) === undefined)
    const isWhole = own.length > 0 && own.length === service.replicas
    return (
      isWhole &&
      isAsItWas &&
      own.every((one) => isDone(service, one)) &&
      mountFault(service, own, replaced) === undefined
    )
  })
  return new Set(jobs.map(({ name }) => name))
}

function isDone({ ends }: DeclaredService, { state, exitCode }: Container): boolean {
  return ends && state === 'exited' && exitCode === 0
}

/** Compose starts what a service depends on, also what had ended. */
function startedFor(actions: readonly ContainerAction[], { services }: Declaration): readonly string[] {
  const touched = actions.filter(({ kind }) => kind !== 'remove').map(({ service }) => service)
  const required = touched.flatMap((name) => [...requiredBy(name, services)].filter((other) => other !== name))
  return [...new Set(required)].filter((name) => !touched.includes(name))
}

/** A service and all that it depends on. */
function requiredBy(name: string, services: readonly DeclaredService[]): ReadonlySet<string> {
  const found = new Set([name])
  for (const each of found)
    for (const other of services.find((service) => service.name === each)?.dependsOn ?? []) found.add(other)
  return found
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
    if (kept.length < Math.min(old.length, now.length)) return [{ service, kind: 'recreate' }]
    if (old.length !== now.length) return [{ service, kind: 'scale', replicas: now.length }]
    const isStarted = kept.some(({ id, state }) => {
      const was = old.find((container) => container.id === id)?.state
      return restarted.has(id) || (was !== 'running' && state === 'running')
    })
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
  if (fault !== undefined)
    return { service, kind: 'recreate', why: foresight.moved?.get(service) ?? whyAnew(fault, wanted, foresight) }
  const stale = whyRemounted(wanted, own, foresight) ?? mountFault(wanted, own, replaced)?.text
  if (stale !== undefined) return { service, kind: 'recreate', why: stale }
  if (own.length !== wanted.replicas) return { service, kind: 'scale', replicas: wanted.replicas }
  if (own.some((one) => one.state !== 'running' && !isDone(wanted, one))) return { service, kind: 'start-again' }
  if (own.some(({ health }) => health === 'unhealthy')) return { service, kind: 'recreate', why: 'it is unhealthy' }
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
      kind: 'recreate',
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

function whyAnew({ code }: ContainerFault, { mounts }: DeclaredService, { changing }: Foresight): string {
  if (code === 'container-image') return 'its image has changed'
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
    ? `its mounted ${mounted.source.slice(mounted.source.lastIndexOf('/') + 1)} is repaired`
    : undefined
}

function byService(one: ContainerAction, other: ContainerAction): number {
  return one.service < other.service ? -1 : 1
}
