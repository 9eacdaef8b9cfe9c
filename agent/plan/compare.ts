// In: desired, baselines, live. Out: for each service what is pending and what drifted. Pure.
import type { HostName, ResourceId, Revision, ServiceName } from '../../shared/names.ts'
import type { Problem } from '../../shared/problem.ts'
import type { DesiredHost, DesiredService } from '../../shared/resource.ts'
import type { Capabilities } from '../host/host.ts'
import type { LiveHost } from '../observe/observe.ts'
import { allDifferences } from '../resources/compare.ts'
import { withExtras } from '../resources/directory.ts'
import type { AttributeDifference, Comparison, LiveResource, Subject } from '../resources/kind.ts'
import { kindNameOf, kinds } from '../resources/registry.ts'
import { pathInId, subjectsOf } from '../resources/subjects.ts'
import type { Baselines, ServiceBaseline } from '../state/baseline.ts'

export type ComparedResource = Subject & {
  readonly live: LiveResource
  readonly comparison: Comparison
  /** Pending and drift together. */
  readonly differences: readonly AttributeDifference[]
}

export type ServiceComparison = {
  readonly service: ServiceName
  /** Undefined: the service left this host. */
  readonly desired: DesiredService | undefined
  readonly baseline: ServiceBaseline | undefined
  /** Those that could be looked at; in a sandbox there are no packages, units and containers. */
  readonly resources: readonly ComparedResource[]
  /** Of those that could not. */
  readonly problems: readonly Problem[]
}

export type HostComparison = {
  readonly host: HostName
  readonly revision: Revision
  readonly capabilities: Capabilities
  readonly services: readonly ServiceComparison[]
  /** Units that are looked at, those that only a trigger names too. */
  readonly units: ReadonlyMap<ResourceId, LiveResource>
}

export function compareHost(desired: DesiredHost, baselines: Baselines, live: LiveHost): HostComparison {
  const { host, revision } = desired
  const compared = subjectsOf(desired, baselines).map(({ subjects, ...service }) => ({
    ...service,
    resources: subjects.flatMap((subject) => comparedSubject(subject, live)),
    problems: subjects.flatMap(({ id }) => {
      const problem = live.problems.get(id)
      return problem === undefined ? [] : [{ ...problem, service: service.service }]
    }),
  }))
  const leaving = leavingPaths(compared)
  const services = compared.map((service) => ({
    ...service,
    resources: service.resources.map((resource) =>
      resource.live.extras === undefined ? resource : withoutLeaving(resource, resource.live.extras, leaving),
    ),
  }))
  const units = new Map([...live.resources].filter(([id]) => id.startsWith('unit:')))
  return { host, revision, capabilities: live.capabilities, services, units }
}

export function drifted({ resources }: ServiceComparison): readonly ComparedResource[] {
  return resources.filter(({ comparison }) => comparison.drift.length > 0)
}

export function pendingOf({ resources }: ServiceComparison): readonly ComparedResource[] {
  return resources.filter(({ comparison }) => comparison.pending.length > 0)
}

/** Nothing pending, nothing drifted, everything looked at. */
export function isInPlumb({ services }: HostComparison): boolean {
  return services.every(
    ({ resources, problems }) =>
      problems.length === 0 && resources.every(({ differences }) => differences.length === 0),
  )
}

function comparedSubject(subject: Subject, live: LiveHost): readonly ComparedResource[] {
  const here = live.resources.get(subject.id)
  return here === undefined ? [] : [compared(subject, here)]
}

function compared(subject: Subject, live: LiveResource): ComparedResource {
  const comparison = kinds[kindNameOf(subject.id)].compare(subject, live)
  return { ...subject, live, comparison, differences: allDifferences(comparison) }
}

/** What left the repository and is to be removed as itself. */
function leavingPaths(services: readonly ServiceComparison[]): ReadonlySet<string> {
  const resources = services.flatMap((service) => service.resources)
  const leaving = resources.filter(({ desired, comparison }) => desired === undefined && comparison.pending.length > 0)
  return new Set(leaving.flatMap(({ id }) => pathInId(id) ?? []))
}

/** In a purged directory it is no extra besides: it would be drift that nobody caused. */
function withoutLeaving(
  { id, desired, baseline, live }: ComparedResource,
  extras: readonly string[],
  leaving: ReadonlySet<string>,
): ComparedResource {
  const foreign = extras.filter((name) => !leaving.has(`${pathInId(id)}/${name}`))
  return compared({ id, desired, baseline }, withExtras(live, foreign))
}
