// Data that the containers of quadlets have now and would not have after an apply: what a running container has mounted, or else what the
// unit was last applied with, as far as there is anything in it.
import { absolutePathSchema, parseResourceId, type ResourceId } from '../../shared/names.ts'
import { type Problem, problemsOf } from '../../shared/problem.ts'
import type { UnitResource } from '../../shared/resource.ts'
import type { HostReader } from '../host/host.ts'
import { containersOfUnits, type PodmanVolume, type UnitContainer, volumesNamed } from '../host/podman-objects.ts'
import type { HeldData, Subject } from './kind.ts'
import { mountsIn } from './unit-mounts.ts'

export type Held = {
  readonly data: ReadonlyMap<ResourceId, HeldData>
  readonly unknown: ReadonlyMap<ResourceId, Problem>
}

/**
 * Nothing is asked while every unit is to have what it was applied with. Unknown: of those that were never applied here, while podman
 * does not answer.
 */
export async function heldData(subjects: readonly Subject<UnitResource>[], host: HostReader): Promise<Held> {
  const changing = subjects.filter(isChanging)
  if (changing.length === 0) return { data: new Map(), unknown: new Map() }
  try {
    const running = await containersOfUnits(changing.map(nameOf), host.query)
    return { data: await dataOf(changing, running, host), unknown: new Map() }
  } catch (error) {
    const [problem] = problemsOf(error)
    const open = changing.filter(({ baseline }) => mountsIn(baseline?.attributes) === undefined)
    return {
      data: await dataOf(changing, new Map(), host),
      unknown: new Map(open.flatMap(({ id }) => (problem === undefined ? [] : [[id, problem] as const]))),
    }
  }
}

async function dataOf(
  changing: readonly Subject<UnitResource>[],
  running: ReadonlyMap<string, UnitContainer>,
  host: HostReader,
): Promise<ReadonlyMap<ResourceId, HeldData>> {
  const held = changing.flatMap((subject) => {
    const had = running.get(nameOf(subject)) ?? mountsIn(subject.baseline?.attributes)
    const others = Object.entries(had?.mounts ?? {}).filter(([at, source]) => subject.desired?.mounts?.[at] !== source)
    return had === undefined || others.length === 0 ? [] : [{ subject, had, others }]
  })
  const filled = await withData(
    held.flatMap(({ others }) => others.map(([, source]) => source)),
    host,
  )
  return new Map(
    held.map(({ subject, had, others }) => {
      const mounts = Object.fromEntries(others.filter(([, source]) => filled.has(source)))
      return [subject.id, { ...had, mounts }]
    }),
  )
}

/** A unit that leaves too: another one may take its place. */
function isChanging({ desired, baseline }: Subject<UnitResource>): boolean {
  const before = mountsIn(baseline?.attributes)?.mounts
  if (desired === undefined) return before !== undefined
  const { mounts } = desired
  if (mounts === undefined && before === undefined) return false
  return Object.entries(before ?? {}).some(([at, source]) => mounts?.[at] !== source) || before === undefined
}

function nameOf({ id }: Subject): string {
  return parseResourceId(id).name
}

/** Those of the volumes and paths that have some. What cannot be looked at counts as such. */
async function withData(sources: readonly string[], host: HostReader): Promise<ReadonlySet<string>> {
  const paths = sources.filter((source) => source.startsWith('/'))
  const names = sources.filter((source) => !source.startsWith('/'))
  const volumes = await volumesNamed([...new Set(names)], host.query)
  return new Set([
    ...paths.filter((path) => contentOf(path, host) === 'some'),
    ...(volumes === undefined ? names : volumes.filter((volume) => isFilled(volume, host)).map(({ name }) => name)),
  ])
}

function isFilled({ place, isPlain }: PodmanVolume, host: HostReader): boolean {
  return !isPlain || contentOf(place, host) !== 'empty'
}

/** An empty directory, as podman makes for a volume, is no data. `missing`: podman may see a volume where the agent does not. */
function contentOf(written: string, { files }: HostReader): 'some' | 'empty' | 'missing' {
  const path = absolutePathSchema.safeParse(written).data
  if (path === undefined) return 'some'
  try {
    const stat = files.stat(path)
    if (stat === undefined) return 'missing'
    return stat.type === 'directory' && files.list(path).length === 0 ? 'empty' : 'some'
  } catch {
    return 'some'
  }
}
