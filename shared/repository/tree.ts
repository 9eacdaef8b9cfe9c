// A revision's files as the parsers see them: a list of entries and the text of the few that are parsed.
import { fleetYamlLimits } from './fleet.ts'
import { serviceYamlLimits } from './service.ts'

/** In the order in which compose looks for them. */
export const composeFileNames: ReadonlySet<string> = new Set([
  'compose.yaml',
  'compose.yml',
  'docker-compose.yaml',
  'docker-compose.yml',
])

/** Of one of these, or of a file beside it that is called like a part of it: `compose.prod.yaml`, `docker-compose-db.yml`. */
export function isComposeFileName(name: string): boolean {
  return /^(?:docker-)?compose(?:[._-][^/]*)?\.ya?ml$/.test(name)
}

export type TreeEntry = {
  /** Relative to the repository's root, `/` separated. */
  readonly path: string
  readonly kind: 'file' | 'executable' | 'symlink' | 'submodule'
  /** git's object id of the content; for a directory that is not a repository (`plumb lint DIR`), the SHA-1 git would give it. */
  readonly oid: string
  /** Bytes of the content; undefined where it is not known without reading it. */
  readonly size?: number
}

/**
 * Pure input of `parseRepository`: `texts` holds plumb.yaml, every service.yaml, every compose file and `.env` beside it, and
 * the target of every symlink.
 */
export type RepositoryTree = {
  readonly entries: readonly TreeEntry[]
  readonly texts: ReadonlyMap<string, string>
  /** Of a work tree, files that are there and would not be committed. */
  readonly ignored?: ReadonlySet<string>
}

/** What must be in `texts` for a given list of entries; what is too large to be parsed is not. */
export function isParsed({ path, kind, size = 0 }: TreeEntry): boolean {
  if (path === 'plumb.yaml') return size <= textBytes.fleet
  if (kind === 'symlink') return path.startsWith('services/') && size <= textBytes.link
  const name = /^services\/[^/]+\/([^/]+)$/.exec(path)?.[1] ?? ''
  if (name === 'service.yaml') return size <= textBytes.service
  return (name === '.env' || isComposeFileName(name)) && size <= textBytes.compose
}

/** Those of a list that are to be read. All of them are held in memory together: what goes beyond that is not read, and refused. */
export function parsedEntries(entries: readonly TreeEntry[]): readonly TreeEntry[] {
  let left = textBytes.revision
  return entries.filter((entry) => {
    if (entry.kind === 'submodule' || !isParsed(entry)) return false
    left -= entry.size ?? 0
    return left >= 0
  })
}

/** No text within the parsers' limits, which count characters, has more bytes. */
const textBytes = {
  fleet: 3 * fleetYamlLimits.characters,
  service: 3 * serviceYamlLimits.characters,
  compose: 1024 * 1024,
  link: 4000,
  revision: 48 * 1024 * 1024,
} as const
