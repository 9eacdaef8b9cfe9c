// Quadlets that a commit gives another volume or directory at the same place: their containers start without the data they had. Pure.
import { parseResourceId } from '../../shared/names.ts'
import { mountsIn } from '../resources/unit-mounts.ts'
import type { ServiceComparison } from './compare.ts'

/** One sentence each, for a person. */
export function otherData({ resources }: Pick<ServiceComparison, 'resources'>): readonly string[] {
  const own = new Set(resources.map(({ id }) => parseResourceId(id).name))
  return resources.flatMap(({ desired, baseline }) => {
    if (desired?.kind !== 'unit' || desired.mounts === undefined) return []
    const before = Object.entries(mountsIn(baseline?.attributes))
    return before.flatMap(([at, source]) => {
      const next = desired.mounts?.[at]
      // What the repository has at a path comes with the repository.
      if (next === undefined || next === source || own.has(source)) return []
      return [`${desired.name} has ${source} at ${at}, and will have ${next} there: nothing of the data is taken along`]
    })
  })
}
