// A drifted unit -> what service.yaml has to say of it.
import { parseResourceId } from '../../shared/names.ts'
import type { Problem } from '../../shared/problem.ts'
import { isAdoptable } from '../resources/registry.ts'
import { type Changeset, nothing } from './changeset.ts'
import { type Drifted, refusal } from './drifted.ts'

export function unitChangeset({ id, differences }: Drifted): Changeset {
  const set: Record<string, boolean | string> = {}
  const problems: Problem[] = []
  for (const { name, live } of differences) {
    if (isAdoptable(id, { name, live })) set[name] = name === 'enabled' ? live === 'yes' : live
    else
      problems.push(
        refusal(`${name === 'type' ? '' : `${name}: `}${live} cannot be adopted`, {
          remedy: 'plumb apply puts it right.',
        }),
      )
  }
  return { ...nothing, edits: [{ section: 'units', key: parseResourceId(id).name, set }], problems }
}
