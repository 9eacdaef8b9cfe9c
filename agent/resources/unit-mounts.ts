// What a quadlet mounts into its container, as attributes that are remembered. They are not looked for on the host: they say what an
// earlier revision had where the present one has something else.
import { compact } from '../../shared/compact.ts'
import type { UnitResource } from '../../shared/resource.ts'
import type { Attributes, HeldData } from './kind.ts'

export function mountsAttributes({ mounts = {}, image }: UnitResource): Attributes {
  if (Object.keys(mounts).length === 0) return {}
  return { mounts: JSON.stringify(mounts), ...compact({ image }) }
}

/** Of a baseline; undefined: it does not say. */
export function mountsIn(attributes: Attributes | undefined): HeldData | undefined {
  const text = attributes?.['mounts']
  if (text === undefined) return undefined
  const image = attributes?.['image']
  return { mounts: JSON.parse(text) as HeldData['mounts'], ...compact({ image }) }
}
