// Lists a revision's files from git's tree objects. Parsed here: isomorphic-git's own parser refuses names that
// systemd's escaping makes (`a\x2db.mount`), and `git ls-tree` has no end when one tree is named many times on many
// levels.
import { PlumbError } from '../../shared/problem.ts'
import { entryKind } from '../../shared/repository/listing.ts'
import type { TreeEntry } from '../../shared/repository/tree.ts'

export type TreeReader = {
  /** Reads a tree object; called once for each. */
  readTree(oid: string): Promise<Uint8Array>
  /** Upper bound on concurrent reads. */
  readonly atOnce: number
}

/** Throws PlumbError `repository-invalid` as soon as `revisionShape` is exceeded, before the rest is read. */
export async function entriesBelow(root: string, { readTree, atOnce }: TreeReader): Promise<readonly TreeEntry[]> {
  const trees = new Map<string, readonly TreeLine[]>()
  const count = { files: 0, trees: 0 }
  let depth = 0
  for (let level = [root]; level.length > 0; depth += 1) {
    if (depth > revisionShape.depth) throw tooDeep()
    for (let start = 0; start < level.length; start += atOnce)
      await Promise.all(
        level.slice(start, start + atOnce).map(async (oid) => {
          trees.set(oid, linesOf(await readTree(oid), count))
        }),
      )
    const below = level.flatMap((oid) => (trees.get(oid) ?? []).flatMap((line) => (isTree(line) ? line.oid : [])))
    level = [...new Set(below)].filter((oid) => !trees.has(oid))
  }
  return unfolded(root, trees)
}

/** Above the limits of `safeEntries`, and still small enough for the memory of a small host. */
export const revisionShape = {
  files: 200_000,
  directories: 200_000,
  /** Nesting depth of directories. */
  depth: 256,
  /** Total length of all paths. */
  pathCharacters: 16 * 1024 * 1024,
} as const

type FileLine = { readonly kind: TreeEntry['kind']; readonly name: string; readonly oid: string }
type DirectoryLine = { readonly kind: 'tree'; readonly name: string; readonly oid: string }
type TreeLine = FileLine | DirectoryLine
type Count = { files: number; trees: number }

/** Never truncates: a file missing from the list would be removed from hosts. */
function unfolded(root: string, trees: ReadonlyMap<string, readonly TreeLine[]>): readonly TreeEntry[] {
  const entries: TreeEntry[] = []
  let directories = 0
  let characters = 0
  const unfold = (oid: string, prefix: string, depth: number): void => {
    directories += 1
    if (directories > revisionShape.directories) throw tooManyFiles()
    if (depth > revisionShape.depth) throw tooDeep()
    for (const line of trees.get(oid) ?? []) {
      if (isTree(line)) {
        unfold(line.oid, `${prefix}${line.name}/`, depth + 1)
        continue
      }
      characters += prefix.length + line.name.length
      if (entries.length >= revisionShape.files || characters > revisionShape.pathCharacters) throw tooManyFiles()
      entries.push({ path: prefix + line.name, kind: line.kind, oid: line.oid })
    }
  }
  unfold(root, '', 0)
  return entries
}

/** `count` is of all trees so far: a tree that is there has its lines in the listing once at least. */
function linesOf(bytes: Uint8Array, count: Count): readonly TreeLine[] {
  const tree = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const lines: TreeLine[] = []
  for (let start = 0; start < tree.length; ) {
    const space = tree.indexOf(0x20, start)
    const end = tree.indexOf(0, space)
    if (space < 0 || end < 0 || end + 21 > tree.length) throw new Error('a tree object is malformed')
    const mode = tree.toString('latin1', start, space)
    const kind = mode === directoryMode ? 'tree' : entryKind(mode)
    // Entries with modes unknown to git are not deployed.
    if (kind !== undefined) {
      count[kind === 'tree' ? 'trees' : 'files'] += 1
      if (count.files > revisionShape.files || count.trees > revisionShape.directories) throw tooManyFiles()
      lines.push({ kind, name: tree.toString('utf8', space + 1, end), oid: tree.toString('hex', end + 1, end + 21) })
    }
    start = end + 21
  }
  return lines
}

const directoryMode = '40000'

function isTree(line: TreeLine): line is DirectoryLine {
  return line.kind === 'tree'
}

export function tooManyFiles(): PlumbError {
  return invalidShape(
    `The revision has more than ${revisionShape.files} files or directories, or their paths are too long.`,
  )
}

function tooDeep(): PlumbError {
  return invalidShape(`The revision has more than ${revisionShape.depth} directories in each other.`)
}

function invalidShape(message: string): PlumbError {
  const remedy = 'Keep large trees out of the fleet repository.'
  return new PlumbError({ code: 'repository-invalid', message, remedy })
}
