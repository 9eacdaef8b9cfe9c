// A revision's files as the parsers see them: a list of entries and the text of the few that are parsed.

export type TreeEntry = {
  /** Relative to the repository's root, `/` separated. */
  readonly path: string
  readonly kind: 'file' | 'executable' | 'symlink' | 'submodule'
  /** git's object id of the content; for a directory that is not a repository (`plumb lint DIR`), the SHA-1 git would give it. */
  readonly oid: string
}

/** Pure input of `parseRepository`: `texts` holds plumb.yaml, every service.yaml and the target of every symlink. */
export type RepositoryTree = {
  readonly entries: readonly TreeEntry[]
  readonly texts: ReadonlyMap<string, string>
}

/** What must be in `texts` for a given list of entries. */
export function isParsed(entry: TreeEntry): boolean {
  return entry.path === 'plumb.yaml' || entry.kind === 'symlink' || /^services\/[^/]+\/service\.yaml$/.test(entry.path)
}
