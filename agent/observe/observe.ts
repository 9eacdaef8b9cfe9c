// In: what is desired and what was applied. Out: what is live of it. Reads only.
import type { ResourceId } from '../../shared/names.ts'
import { PlumbError, type Problem, problemsOf } from '../../shared/problem.ts'
import type { DesiredHost, ResourceKindName } from '../../shared/resource.ts'
import type { Capabilities, HostReader } from '../host/host.ts'
import { type Memory, slotByObject } from '../memory.ts'
import { leavingInstances } from '../resources/instances.ts'
import type { LiveResource, Subject } from '../resources/kind.ts'
import { unitOverrides } from '../resources/overrides.ts'
import { kindNameOf, kinds } from '../resources/registry.ts'
import { type ServiceSubjects, subjectsOf, triggeredUnits } from '../resources/subjects.ts'
import type { Baselines } from '../state/baseline.ts'

export type LiveHost = {
  readonly capabilities: Capabilities
  /** Units that triggers name are in it too. What this host (or sandbox) cannot have or observe is not. */
  readonly resources: ReadonlyMap<ResourceId, LiveResource>
  /** Why a resource could not be looked at. */
  readonly problems: ReadonlyMap<ResourceId, Problem>
  /**
   * What belongs to a subject and was found on the host alone, in `resources` too: of desired units, the files that change them and
   * that no revision has; of the file of a template that leaves, the instances of it.
   */
  readonly found: ReadonlyMap<ResourceId, readonly Subject[]>
}

export type ObserveOptions = {
  /** Hash every file again: a stat can be forged. */
  readonly full: boolean
}

export async function observeHost(
  desired: DesiredHost,
  baselines: Baselines,
  host: HostReader,
  { full }: ObserveOptions,
): Promise<LiveHost> {
  const reader = full ? { ...host, files: host.files.withoutMemory() } : host
  const services = subjectsOf(desired, baselines, host.memory)
  const subjects = subjectsByKind(services, host.memory)
  const own = await observeSubjects(subjects, reader)
  const overrides = unitOverrides({ desired, subjects, live: own }, reader.files)
  const instances = await instancesOf(subjects, reader)
  const found = instances.size === 0 ? overrides : new Map([...overrides, ...instances])
  const others = await observeSubjects(byKind([...found.values()].flat()), reader)
  const all = joined([own, others])
  const problems = new Map<ResourceId, Problem>()
  all.forEach(({ problem }, id) => {
    if (problem !== undefined) problems.set(id, problem)
  })
  const resources = problems.size === 0 ? all : new Map([...all].filter(([id]) => !problems.has(id)))
  return { capabilities: host.capabilities, resources, problems, found }
}

/** Where systemd does not answer, that is the problem of each unit already. */
async function instancesOf(subjects: ByKind, host: HostReader): Promise<LiveHost['found']> {
  const known = new Set((subjects.get('unit') ?? []).map(({ id }) => id))
  try {
    return await leavingInstances(subjects.get('file') ?? [], known, host)
  } catch (error) {
    if (error instanceof PlumbError) return new Map()
    throw error
  }
}

type ByKind = ReadonlyMap<ResourceKindName, readonly Subject[]>

/** Lists that are the same as long as the services are: what is remembered of a look is found by them. */
function subjectsByKind(services: readonly ServiceSubjects[], memory: Memory): ByKind {
  const lists = memory.at(listsByServices)
  const all = () => [...services.flatMap(({ subjects }) => subjects), ...triggeredUnits(services)]
  const sorted = lists.get(services) ?? byKind(all())
  lists.set(services, sorted)
  return sorted
}

const listsByServices = slotByObject<readonly ServiceSubjects[], ByKind>()

function byKind(subjects: readonly Subject[]): ByKind {
  return Map.groupBy(subjects, ({ id }) => kindNameOf(id))
}

async function observeSubjects(subjects: ByKind, host: HostReader): Promise<Live> {
  const observed = [...subjects]
    .filter(([kind]) => isPossible(kind, host.capabilities))
    .map(([kind, same]) => observeKind(kind, same, host))
  return joined(await Promise.all(observed))
}

type Live = ReadonlyMap<ResourceId, LiveResource>

/** Thousands of files alone are not copied. */
function joined(parts: readonly Live[]): Live {
  const [most = new Map(), ...others] = parts.toSorted((one, other) => other.size - one.size)
  if (others.every(({ size }) => size === 0)) return most
  const live = new Map(most)
  for (const few of others) for (const [id, seen] of few) live.set(id, seen)
  return live
}

function isPossible(kind: ResourceKindName, capabilities: Capabilities): boolean {
  const { needs } = kinds[kind]
  return needs === undefined || capabilities[needs]
}

async function observeKind(
  kind: ResourceKindName,
  subjects: readonly Subject[],
  host: HostReader,
): Promise<ReadonlyMap<ResourceId, LiveResource>> {
  try {
    return await host.files.pass(() => kinds[kind].observe(subjects, host))
  } catch (error) {
    const [problem] = problemsOf(error)
    return new Map(subjects.map(({ id }) => [id, { attributes: {}, ...(problem && { problem }) }] as const))
  }
}
