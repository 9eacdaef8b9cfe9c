// In: desired, baselines, live. Out: for each service what is pending and what drifted. Pure.
import { isDeepStrictEqual } from 'node:util'
import { type DriftPolicy, policyOf, reasonToIgnore } from '../../shared/drift-policy.ts'
import type { HostName, ResourceId, Revision, ServiceName } from '../../shared/names.ts'
import { parentsOf } from '../../shared/places.ts'
import type { Problem } from '../../shared/problem.ts'
import { type DesiredHost, type DesiredService, isOfKind } from '../../shared/resource.ts'
import type { Capabilities } from '../host/host.ts'
import { Memory, slotByObject } from '../memory.ts'
import type { LiveHost } from '../observe/observe.ts'
import { stayingFor, withExtras } from '../resources/directory.ts'
import type { LiveResource, Subject } from '../resources/kind.ts'
import { pathInId } from '../resources/paths.ts'
import { type Compared, compareSubject, withCodes } from '../resources/registry.ts'
import { isReturning } from '../resources/removal/originals.ts'
import { type ServiceSubjects, subjectsOf } from '../resources/subjects.ts'
import { unitActions } from '../resources/unit-actions.ts'
import type { Baselines, ServiceBaseline } from '../state/baseline.ts'
import { isUnit } from './forecast.ts'
import { movedDataProblems } from './moved-data.ts'
import { renamedProjects } from './renamed-project.ts'

export type ComparedResource = Subject & { readonly live: LiveResource } & Compared

export type ServiceComparison = {
  readonly service: ServiceName
  /** Undefined: the service left this host. */
  readonly desired: DesiredService | undefined
  readonly baseline: ServiceBaseline | undefined
  /** Those that could be looked at; in a sandbox there are no packages, units and containers. */
  readonly resources: readonly ComparedResource[]
  /** Those of them that are pending or drifted. */
  readonly differing: readonly ComparedResource[]
  /** Those that could not. */
  readonly unseen: readonly Unseen[]
  /** Why the service is not known in full, or cannot be applied: of `unseen`, what of it this host cannot render, a renamed project. */
  readonly problems: readonly Problem[]
} & Pick<ServiceSubjects, 'before' | 'handedOver' | 'moved' | 'untaken'>

export type Unseen = { readonly subject: Subject; readonly problem: Problem }

export type HostComparison = {
  readonly host: HostName
  readonly revision: Revision
  readonly capabilities: Capabilities
  readonly services: readonly ServiceComparison[]
  /** Units that are looked at, those that only a trigger names too. */
  readonly units: ReadonlyMap<ResourceId, LiveResource>
}

export function compareHost(
  desired: DesiredHost,
  baselines: Baselines,
  live: LiveHost,
  memory = new Memory(),
): HostComparison {
  const { host, revision } = desired
  const compared = subjectsOf(desired, baselines, memory).map((service) => comparedService(service, live, memory))
  const isSomethingLeaving = compared.some(({ differing }) => differing.some(isLeaving))
  const services = isSomethingLeaving ? withoutLeavingPaths(compared) : compared
  const units = new Map<ResourceId, LiveResource>()
  live.resources.forEach((here, id) => {
    if (isOfKind(id, 'unit')) units.set(id, here)
  })
  return { host, revision, capabilities: live.capabilities, services, units }
}

/** Memoized: on a host at rest the same is compared again and again, with the same verdict. */
function comparedService(service: ServiceSubjects, live: LiveHost, memory: Memory): ServiceComparison {
  const latest = memory.at(latestComparisons)
  const isCalm = service.subjects.every(({ id }) => !live.problems.has(id) && !live.found.has(id))
  const seen = service.subjects.map(({ id }) => live.resources.get(id))
  const known = latest.get(service)
  if (isCalm && known?.seen.every((one, index) => isSameLive(one, seen[index])) === true) return known.compared
  const compared = newlyCompared(service, live)
  if (isCalm) latest.set(service, { seen, compared })
  return compared
}

type Latest = { readonly seen: readonly (LiveResource | undefined)[]; readonly compared: ServiceComparison }

const latestComparisons = slotByObject<ServiceSubjects, Latest>()

/** Kinds that ask commands make new objects each time. */
function isSameLive(one: LiveResource | undefined, other: LiveResource | undefined): boolean {
  return one === other || isDeepStrictEqual(one, other)
}

function newlyCompared({ subjects, ...service }: ServiceSubjects, live: LiveHost): ServiceComparison {
  const resources = [
    ...subjects.flatMap((subject) => comparedSubject(subject, live)),
    ...subjects.flatMap(({ id }) => live.found.get(id) ?? []).flatMap((subject) => comparedFound(subject, live)),
  ]
  const all = [...subjects, ...subjects.flatMap(({ id }) => live.found.get(id) ?? [])]
  const unseen = all.flatMap((subject): readonly Unseen[] => {
    const problem = live.problems.get(subject.id)
    return problem === undefined ? [] : [{ subject, problem: { ...problem, service: service.service } }]
  })
  const renamed = [...renamedProjects(resources), ...movedDataProblems({ resources })].map((problem) => ({
    ...problem,
    service: service.service,
  }))
  const problems = [...(service.desired?.withheld?.problems ?? []), ...unseen.map(({ problem }) => problem), ...renamed]
  return { ...service, resources, differing: resources.filter(isDiffering), unseen, problems }
}

function isDiffering({ differences }: ComparedResource): boolean {
  return differences.length > 0
}

/** What of its drift is a finding: a person is to know, or it is put back. */
export function drifted(service: ServiceComparison): readonly ComparedResource[] {
  return anyDrift(service).filter((resource) => whyIgnored(service, resource) === undefined)
}

/** Drift that is left as it is, by the repository's word. */
export function ignored(service: ServiceComparison): readonly (ComparedResource & { readonly why: string })[] {
  return anyDrift(service).flatMap((resource) => {
    const why = whyIgnored(service, resource)
    return why === undefined ? [] : [{ ...resource, why }]
  })
}

function anyDrift({ differing }: ServiceComparison): readonly ComparedResource[] {
  return differing.filter(({ comparison }) => comparison.drift.length > 0)
}

export function whyIgnored({ desired }: ServiceComparison, resource: ComparedResource): string | undefined {
  return reasonToIgnore(policyOf(desired, ownPolicy(resource)))
}

/** What may have a policy of its own: the desired resource, or the unit that a file nobody's revision has changes. */
export function ownPolicy({ desired, overrides }: ComparedResource): { readonly onDrift?: DriftPolicy } | undefined {
  if (overrides !== undefined) return overrides
  return desired !== undefined && 'onDrift' in desired ? desired : undefined
}

export function pendingOf({ differing }: ServiceComparison): readonly ComparedResource[] {
  return differing.filter(({ comparison }) => comparison.pending.length > 0)
}

/** Nothing pending, no drift but what is ignored, everything looked at. */
export function isInSync({ services }: HostComparison): boolean {
  return services.every(
    (service) => service.problems.length === 0 && pendingOf(service).length === 0 && drifted(service).length === 0,
  )
}

function comparedSubject(subject: Subject, live: LiveHost): readonly ComparedResource[] {
  const here = live.resources.get(subject.id)
  return here === undefined ? [] : [compared(subject, here)]
}

function comparedFound(subject: Subject, live: LiveHost): readonly ComparedResource[] {
  const here = live.resources.get(subject.id)
  if (here === undefined || here.attributes['type'] === 'missing') return []
  return subject.overrides === undefined ? comparedInstance(subject, here) : [comparedOverride(subject, here)]
}

/** Of an instance that is at rest nothing is left to be done. */
function comparedInstance(subject: Subject, here: LiveResource): readonly ComparedResource[] {
  const one = compared(subject, here)
  return isUnit(one) && unitActions(one).length > 0 ? [one] : []
}

/** Drift whoever put it there and when: a first apply takes nothing away that a person might miss. */
function comparedOverride(subject: Subject, here: LiveResource): ComparedResource {
  const drift = [{ name: 'override', expected: 'none', live: subject.overrides?.unit ?? '' }]
  return { ...subject, live: here, ...withCodes(subject, { drift, pending: [] }, here) }
}

function compared(subject: Subject, live: LiveResource): ComparedResource {
  return { ...subject, live, ...compareSubject(subject, live) }
}

function withoutLeavingPaths(compared: readonly ServiceComparison[]): readonly ServiceComparison[] {
  const left = leavingPaths(compared)
  return compared.map((service) => {
    const resources = service.resources.map((resource) => withoutLeaving(resource, left))
    return { ...service, resources, differing: resources.filter(isDiffering) }
  })
}

/** What is to be removed as itself, with the position of the service that does it; directories only where that leaves nothing in them. */
type Leaving = { readonly gone: ReadonlyMap<string, number>; readonly staying: ReadonlyMap<string, readonly string[]> }

function leavingPaths(services: readonly Pick<ServiceComparison, 'resources'>[]): Leaving {
  const gone = new Map<string, number>()
  const staying = new Map<string, readonly string[]>()
  const all = services.flatMap(({ resources }, position) =>
    resources.flatMap((resource) => {
      const path = isLeaving(resource) ? pathInId(resource.id) : undefined
      return path === undefined ? [] : [{ path, position, resource }]
    }),
  )
  const returning = all.filter(({ resource }) => isReturning(resource))
  const above = new Map(returning.flatMap(({ path }) => parentsOf(path).map((parent) => [parent, path] as const)))
  for (const { path, position, resource } of all.toSorted((one, other) => other.path.length - one.path.length)) {
    const others = foreignIn(path, resource.live.extras ?? [], (at) => (gone.get(at) ?? Infinity) <= position)
    const returned = isReturning(resource) ? undefined : above.get(path)?.slice(path.length + 1)
    const isHolding = others.length > 0 || returned !== undefined
    if (isHolding && isOfKind(resource.id, 'directory')) staying.set(path, [...others, ...(returned ? [returned] : [])])
    else if (!isReturning(resource)) gone.set(path, position)
  }
  return { gone, staying }
}

function isLeaving({ desired, comparison }: ComparedResource): boolean {
  return desired === undefined && comparison.pending.some(({ name }) => name === 'type')
}

function foreignIn(path: string, names: readonly string[], isGone: (path: string) => boolean): readonly string[] {
  return names.filter((name) => !isGone(`${path}/${name}`))
}

/** In a purged directory what leaves is no extra besides: it would be drift that nobody caused. */
function withoutLeaving(resource: ComparedResource, { gone, staying }: Leaving): ComparedResource {
  const { live, ...subject } = resource
  const path = pathInId(subject.id) ?? ''
  if (subject.desired === undefined) {
    const others = isLeaving(resource) ? staying.get(path) : undefined
    if (others === undefined) return resource
    return { ...resource, ...withCodes(resource, stayingFor(others), live) }
  }
  if (live.extras === undefined) return resource
  return compared(
    subject,
    withExtras(
      live,
      foreignIn(path, live.extras, (at) => gone.has(at)),
    ),
  )
}
