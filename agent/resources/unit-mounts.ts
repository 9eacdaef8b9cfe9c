// What a quadlet mounts into its container, as an attribute that is remembered. It is not looked for on the host: it says what an earlier
// revision had where the present one has something else.
import type { UnitResource } from '../../shared/resource.ts'
import type { Attributes } from './kind.ts'

export function mountsAttribute({ mounts = {} }: UnitResource): Attributes {
  return Object.keys(mounts).length === 0 ? {} : { mounts: JSON.stringify(mounts) }
}

/** Of a baseline. */
export function mountsIn(attributes: Attributes | undefined): Readonly<Record<string, string>> {
  const text = attributes?.['mounts']
  return text === undefined ? {} : (JSON.parse(text) as Readonly<Record<string, string>>)
}
