// Files beside quadlets that podman reads because a quadlet names them: the pods of a `.kube`, files of variables, build files. Pure.
import { posix } from 'node:path'
import { podmanOptions, quadletAt } from '../../../shared/repository/quadlet.ts'
import { unitSettings } from '../../../shared/repository/unit-settings.ts'
import type { ManagedService } from '../../desire/managed-files.ts'

/** Their paths on the host. `texts`: by path inside the repository. */
export function namedByQuadlets(
  services: readonly ManagedService[],
  texts: ReadonlyMap<string, string>,
): ReadonlySet<string> {
  const files = services.flatMap((service) => service.files)
  return new Set(
    files.flatMap(({ target, source }) => {
      const quadlet = quadletAt(target)
      if (quadlet === undefined) return []
      return podmanOptions(quadlet, unitSettings(texts.get(source) ?? ''))
        .filter(({ name }) => naming.has(name))
        .map(({ value }) => posix.resolve(posix.dirname(quadlet.main), value))
    }),
  )
}

const naming: ReadonlySet<string> = new Set(['yaml', 'env-file', 'context'])
