// An entry under `packages:`, as a name, as `name=version` in the way of apt, or as a map.
import { z } from 'zod'
import type { PackageSettings } from '../resource.ts'
import { packageNameSchema, packageVersionSchema, text } from './scalars.ts'

const shortSchema = text(
  /^[A-Za-z0-9][A-Za-z0-9+._-]{0,127}(?::[a-z0-9-]{1,20})?(?:=[A-Za-z0-9*?][A-Za-z0-9.+~^:_*?-]{0,127})?$/,
  'a package such as caddy, caddy=2.6.* or { name: caddy, version: "2.6.*", hold: true }',
).transform(fromShort)

const mapSchema = z.strictObject({
  name: packageNameSchema,
  version: packageVersionSchema.exactOptional().describe('A version or a pattern: "2.6.2-5", "2.6.*".'),
  hold: z.boolean().exactOptional().describe('Kept from being changed by others; false: no hold is left on it.'),
})

export const packageSchema: z.ZodType<PackageSettings> = z.union(
  [shortSchema, mapSchema],
  'a package such as caddy, caddy=2.6.* or { name: caddy, version: "2.6.*", hold: true }',
)

function fromShort(written: string): PackageSettings {
  const [name = '', version] = written.split('=', 2)
  return version === undefined ? { name } : { name, version }
}
