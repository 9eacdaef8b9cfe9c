// In: what is desired and what was applied. Out: what is live of it. Reads only.
import type { ResourceId } from '../../shared/names.ts'
import { type Problem, problemsOf } from '../../shared/problem.ts'
import type { DesiredHost, ResourceKindName } from '../../shared/resource.ts'
import type { Capabilities, HostReader } from '../host/host.ts'
import type { LiveResource, Subject } from '../resources/kind.ts'
import { unitOverrides } from '../resources/overrides.ts'
import { kindNameOf, kinds } from '../resources/registry.ts'
import { subjectsOf, triggeredUnits } from '../resources/subjects.ts'
import type { Baselines } from '../state/baseline.ts'

export type LiveHost = {
  readonly capabilities: Capabilities
  /** Units that triggers name are in it too. What this host (or sandbox) cannot have, or could not tell, is not. */
  readonly resources: ReadonlyMap<ResourceId, LiveResource>
  /** Why a resource could not be looked at. */
  readonly problems: ReadonlyMap<ResourceId, Problem>
  /** Of desired units, the files that change them and that nobody's revision has; those are in `resources` too. */
  readonly overrides: ReadonlyMap<ResourceId, readonly Subject[]>
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
  const services = subjectsOf(desired, baselines)
  const all = [...services.flatMap(({ subjects }) => subjects), ...triggeredUnits(services)]
  const own = await observeSubjects(all, reader)
  const overrides = unitOverrides(all, new Map(own), reader.files)
  const found = [...own, ...(await observeSubjects([...overrides.values()].flat(), reader))]
  return {
    capabilities: host.capabilities,
    resources: new Map(found.filter(([, live]) => live.problem === undefined)),
    problems: new Map(found.flatMap(([id, { problem }]) => (problem === undefined ? [] : [[id, problem] as const]))),
    overrides,
  }
}

async function observeSubjects(subjects: readonly Subject[], host: HostReader) {
  const observed = await Promise.all(
    [...subjectsByKind(subjects)]
      .filter(([kind]) => isPossible(kind, host.capabilities))
      .map(([kind, same]) => observeKind(kind, same, host)),
  )
  return observed.flatMap((live) => [...live])
}

function subjectsByKind(subjects: readonly Subject[]): ReadonlyMap<ResourceKindName, readonly Subject[]> {
  const byKind = new Map<ResourceKindName, Subject[]>()
  for (const subject of subjects) {
    const kind = kindNameOf(subject.id)
    const same = byKind.get(kind)
    if (same === undefined) byKind.set(kind, [subject])
    else same.push(subject)
  }
  return byKind
}

function isPossible(kind: ResourceKindName, capabilities: Capabilities): boolean {
  switch (kind) {
    case 'file':
    case 'symlink':
    case 'directory':
      return true
    case 'package':
      return capabilities.packages
    case 'unit':
      return capabilities.units
    case 'compose':
      return capabilities.containers
  }
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
