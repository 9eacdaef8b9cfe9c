// A revision's files from git's tree objects. Parsed here: isomorphic-git's own parser refuses names that systemd's escaping
// makes (`a\x2db.mount`), and `git ls-tree` has no end when one tree is named many times on many levels.
import { PlumbError } from '../../shared/problem.ts'
import { entryKind } from '../../shared/repository/listing.ts'
import type { TreeEntry } from '../../shared/repository/tree.ts'

/** `readTrees` gives the bytes of tree objects, in the order asked; each is asked for once. */
export async function entriesBelow(
  root: string,
  readTrees: (oids: readonly string[]) => Promise<readonly Uint8Array[]>,
): Promise<readonly TreeEntry[]> {
  const trees = new Map<string, readonly TreeLine[]>()
  for (let level = [root]; level.length > 0; ) {
    const read = await readTrees(level)
    for (const [index, oid] of level.entries()) trees.set(oid, linesOf(Buffer.from(read[index] ?? [])))
    const below = level.flatMap((oid) => (trees.get(oid) ?? []).filter(isTree).map((line) => line.oid))
    level = [...new Set(below)].filter((oid) => !trees.has(oid))
  }
  return unfolded(root, trees)
}

type TreeLine = { readonly mode: string; readonly name: string; readonly oid: string }

const most = { entries: 200_000, trees: 200_000, pathLength: 8000 } as const

/** Never cut short in silence: a file that is not listed would be removed from hosts. */
function unfolded(root: string, trees: ReadonlyMap<string, readonly TreeLine[]>): readonly TreeEntry[] {
  const entries: TreeEntry[] = []
  let seen = 0
  const unfold = (oid: string, prefix: string): void => {
    seen += 1
    for (const line of trees.get(oid) ?? []) {
      if (entries.length > most.entries || seen > most.trees || prefix.length > most.pathLength) throw tooMany()
      const kind = entryKind(line.mode)
      if (kind !== undefined) entries.push({ path: prefix + line.name, kind, oid: line.oid })
      else if (isTree(line)) unfold(line.oid, `${prefix}${line.name}/`)
    }
  }
  unfold(root, '')
  return entries
}

function linesOf(tree: Buffer): readonly TreeLine[] {
  const lines: TreeLine[] = []
  for (let start = 0; start < tree.length; ) {
    const space = tree.indexOf(0x20, start)
    const end = tree.indexOf(0, space)
    if (space < 0 || end < 0 || end + 21 > tree.length) throw new Error('a tree object is malformed')
    lines.push({
      mode: tree.toString('latin1', start, space),
      name: tree.toString('utf8', space + 1, end),
      oid: tree.toString('hex', end + 1, end + 21),
    })
    start = end + 21
  }
  return lines
}

function isTree({ mode }: TreeLine): boolean {
  return mode === '40000'
}

function tooMany(): PlumbError {
  return new PlumbError({
    code: 'repository-invalid',
    message: `The revision has more than ${most.entries} files or directories, or they lie too deep.`,
    remedy: 'Keep large trees out of the fleet repository.',
  })
}
