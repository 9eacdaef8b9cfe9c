// A revision with changes laid over it, read like any other: to be looked at before it is committed.
import type { TreeEntry } from '../../shared/repository/tree.ts'
import type { RevisionReader } from '../sync/revision.ts'
import type { FileChange } from './changeset.ts'

export function overlaid(reader: RevisionReader, changes: ReadonlyMap<string, FileChange>): RevisionReader {
  const written = new Map([...changes].flatMap(([path, change]) => (change.kind === 'write' ? [[path, change]] : [])))
  const idOf = (path: string) => `written:${path}`
  const contents = new Map([...written].map(([path, { content }]) => [idOf(path), content]))
  const entries = async (): Promise<readonly TreeEntry[]> => {
    const others = (await reader.entries()).filter(({ path }) => !changes.has(path))
    const own = [...written].map(([path, { mode }]): TreeEntry => ({ path, kind: kinds[mode], oid: idOf(path) }))
    return [...others, ...own].toSorted((one, other) => (one.path < other.path ? -1 : 1))
  }
  const read = async (oid: string) => contents.get(oid) ?? (await reader.read(oid))
  return { revision: reader.revision, entries, read, readMany: (oids) => Promise.all(oids.map(read)) }
}

const kinds = { '100644': 'file', '100755': 'executable', '120000': 'symlink' } as const
