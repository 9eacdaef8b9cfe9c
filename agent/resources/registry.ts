// Every kind of resource, by name. A new kind is a new file and a line here.
import type { Resource, ResourceKindName } from '../../shared/resource.ts'
import { composeKind } from './compose.ts'
import { directoryKind } from './directory.ts'
import { fileKind } from './file.ts'
import type { ResourceKind } from './kind.ts'
import { packageKind } from './package.ts'
import { symlinkKind } from './symlink.ts'
import { unitKind } from './unit.ts'

export const kinds: Readonly<Record<ResourceKindName, ResourceKind<Resource>>> = {
  file: fileKind,
  symlink: symlinkKind,
  directory: directoryKind,
  package: packageKind,
  unit: unitKind,
  compose: composeKind,
}

/** `unit:nginx.service` -> `unit`. */
export function kindNameOf(id: Resource['id']): ResourceKindName {
  const name = id.slice(0, id.indexOf(':'))
  if (isKindName(name)) return name
  throw new Error(`${id} is of no known kind`)
}

function isKindName(name: string): name is ResourceKindName {
  return Object.hasOwn(kinds, name)
}
