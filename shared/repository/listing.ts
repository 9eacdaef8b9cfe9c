// Reads `git ls-tree -r -z` into entries; used by both sides, so that agent and server see one and the same tree.
import { PlumbError } from '../problem.ts'
import type { TreeEntry } from './tree.ts'

/** Throws PlumbError `repository-invalid` naming every path that may not be on a host. */
export function entriesOfListing(listing: string): readonly TreeEntry[] {
  return checkedEntries(listing.split('\0').flatMap(entriesOfLine))
}

/** The entries as they are, once none of their paths could lead a reader elsewhere. */
export function checkedEntries(entries: readonly TreeEntry[]): readonly TreeEntry[] {
  const refused = entries.flatMap((entry) => {
    const reason = whyRefused(entry.path)
    return reason === undefined ? [] : [{ path: entry.path, reason }]
  })
  if (refused.length === 0) return entries
  throw new PlumbError(
    refused.slice(0, 100).map(({ path, reason }) => ({
      code: 'repository-invalid' as const,
      message: `A path of the repository ${reason}.`,
      where: { file: path.slice(0, 4000) || '(empty)' },
      remedy: 'Rename or remove it in the repository.',
    })),
  )
}

/** git's own modes; 100664 is in trees that very old versions wrote. */
export function entryKind(mode: string): TreeEntry['kind'] | undefined {
  if (mode === '100644' || mode === '100664') return 'file'
  if (mode === '100755') return 'executable'
  if (mode === '120000') return 'symlink'
  return mode === '160000' ? 'submodule' : undefined
}

function entriesOfLine(line: string): readonly TreeEntry[] {
  const tab = line.indexOf('\t')
  const [mode = '', , oid = ''] = line.slice(0, tab).split(' ')
  const kind = entryKind(mode)
  return kind === undefined ? [] : [{ path: line.slice(tab + 1), kind, oid }]
}

function whyRefused(path: string): string | undefined {
  if (path.includes('\uFFFD')) return 'has a name that is not UTF-8'
  if (path.length > 4000) return 'is longer than 4000 characters'
  for (const part of path.split('/')) {
    if (part === '') return 'has an empty component'
    if (part === '.' || part === '..') return `has the component "${part}"`
    if (part.toLowerCase() === '.git') return 'has the component ".git", which git keeps for itself'
  }
  return undefined
}
