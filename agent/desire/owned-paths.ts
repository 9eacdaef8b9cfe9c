// Which file of which service is at a path that another file names, also where links of the repository lead. Pure.
import { posix } from 'node:path'
import type { ManagedFile, ManagedService } from './managed-files.ts'
import { meantBy, type Named } from './named-paths.ts'

export type Owned = { readonly file: ManagedFile; readonly owner: ManagedService }

/** Two services never have one path (repository/claims.ts). */
export type Index = { readonly byPath: ReadonlyMap<string, Owned>; readonly sorted: readonly string[] }

export function indexOf(services: readonly ManagedService[]): Index {
  const all = services.flatMap((owner) => owner.files.map((file): Owned => ({ file, owner })))
  const byPath = new Map(all.map((owned) => [owned.file.target as string, owned]))
  return { byPath, sorted: [...byPath.keys()].toSorted((one, other) => (one < other ? -1 : 1)) }
}

export function ownedBy(named: Named, index: Index): readonly Owned[] {
  const { byPath, sorted } = index
  const paths = throughLinks(named, index).flatMap((one) => meantBy(one, sorted))
  return [...new Set(paths)].flatMap((path) => byPath.get(path) ?? [])
}

/** As the kernel follows links, so many and no more. */
const mostLinks = 40

/** The path itself, and where links of the repository lead from it, whether they are its end or on its way. */
function throughLinks(named: Named, { byPath, sorted }: Index): readonly Named[] {
  const found = new Map<string, Named>()
  const waiting = [named]
  for (let next = waiting.pop(); next !== undefined && found.size < mostLinks; next = waiting.pop()) {
    if (found.has(next.path)) continue
    found.set(next.path, next)
    const ends = next.path.includes('*') ? meantBy(next, sorted) : [next.path]
    for (const end of ends)
      for (const link of placesOnTheWay(end)) {
        const file = byPath.get(link)?.file
        if (file?.kind !== 'symlink') continue
        const path = posix.join(posix.resolve(posix.dirname(link), file.link), end.slice(link.length))
        // A link to a directory far above is a look at the host.
        waiting.push({ path, isExact: next.isExact || posix.dirname(path) === '/' })
      }
  }
  return [...found.values()]
}

/** `/a/b`, `/a` */
function placesOnTheWay(path: string): readonly string[] {
  const parents: string[] = []
  for (let place = path; place !== '/' && place !== '.'; place = posix.dirname(place)) parents.push(place)
  return parents
}
