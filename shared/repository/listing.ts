// Reads `git ls-tree -r -l -z` into entries; used by both sides, so that agent and server see one and the same tree.
import type { TreeEntry } from './tree.ts'

/** As the tree has them: which paths may be on a host is for `safeEntries` to judge. */
export function entriesOfListing(listing: string): readonly TreeEntry[] {
  return listing.split('\0').flatMap(entriesOfLine)
}

/** Of git's own modes; 100664 is in trees that very old versions wrote. Undefined: a directory, or nothing git knows. */
export function entryKind(mode: string): TreeEntry['kind'] | undefined {
  if (mode === '100644' || mode === '100664') return 'file'
  if (mode === '100755') return 'executable'
  if (mode === '120000') return 'symlink'
  return mode === '160000' ? 'submodule' : undefined
}

function entriesOfLine(line: string): readonly TreeEntry[] {
  const tab = line.indexOf('\t')
  const [mode = '', , oid = '', size = ''] = line.slice(0, tab).split(/ +/)
  const kind = entryKind(mode)
  // A submodule has `-` for its size.
  const known = /^\d+$/.test(size) ? { size: Number(size) } : {}
  return kind === undefined ? [] : [{ path: line.slice(tab + 1), kind, oid, ...known }]
}
