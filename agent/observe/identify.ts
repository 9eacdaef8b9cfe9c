// Which names of desired and applied paths are one place on this host: the links on the way and the mounts are read once, before
// anything is compared.
import type { DesiredHost } from '../../shared/resource.ts'
import type { HostReader } from '../host/host.ts'
import { slotByObject } from '../memory.ts'
import { directoriesIn, type Identified, identified } from '../resources/identity.ts'
import { missing } from '../resources/paths.ts'
import type { Baselines } from '../state/baseline.ts'
import type { LiveHost } from './observe.ts'

/** The same result for the same objects while no link and no mount moved: what is remembered of a look is found by it. */
export function identifyHost(
  desired: DesiredHost,
  baselines: Baselines,
  { files, memory }: Pick<HostReader, 'files' | 'memory'>,
): Identified {
  const latest = memory.at(latestIdentified)
  const known = latest.get(desired)
  const directories = known?.baselines === baselines ? known.directories : directoriesIn(desired, baselines)
  const ways = files.waysInto(directories)
  const waysText = JSON.stringify([[...ways.links], [...ways.mounts]])
  if (known?.baselines === baselines && known.waysText === waysText) return known.result
  const reserved = (place: string) => {
    const found = files.reserved(place)
    return found?.kind === 'is' ? found.path : undefined
  }
  const result = identified(desired, baselines, { ways, reserved })
  latest.set(desired, { baselines, directories, waysText, result })
  return result
}

type Known = {
  readonly baselines: Baselines
  readonly directories: ReadonlySet<string>
  readonly waysText: string
  readonly result: Identified
}

const latestIdentified = slotByObject<DesiredHost, Known>()

/** What is live, without what cannot be distinguished, and without what is only seen through a link that leaves. */
export function liveByIdentity(live: LiveHost, { conflicts, unlinked }: Identified): LiveHost {
  if (conflicts.size === 0 && unlinked.size === 0) return live
  const resources = new Map(live.resources)
  for (const id of unlinked) if (resources.has(id)) resources.set(id, missing)
  for (const id of conflicts.keys()) resources.delete(id)
  return { ...live, resources, problems: new Map([...live.problems, ...conflicts]) }
}
