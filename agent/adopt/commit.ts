// Changed files -> a commit on top of another, made of objects alone: no work tree, no index of anybody is touched.
// Decision: docs/decisions/2026-11-26-adopt-is-a-merge.md
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { TreeEntry } from '../../shared/repository/tree.ts'
import type { FileChange } from './changeset.ts'
import type { Git } from './git.ts'
import type { Scratch } from './scratch.ts'

export type Tree = { readonly tree: string; readonly diff: string }

/** The parent's tree with the changes, and the diff between the two. */
export async function treeWith(
  git: Git,
  parent: string,
  { changes, scratch }: { readonly changes: ReadonlyMap<string, FileChange>; readonly scratch: Scratch },
): Promise<Tree> {
  const environment = { GIT_INDEX_FILE: join(scratch.directory, `index-${randomUUID()}`) }
  await git.read(['read-tree', parent], { environment })
  const lines: string[] = []
  for (const [path, change] of changes)
    lines.push(
      change.kind === 'remove'
        ? `0 ${'0'.repeat(40)}\t${path}\0`
        : `${change.mode} ${await blob(git, change.content)}\t${path}\0`,
    )
  await git.read(['update-index', '-z', '--index-info'], { environment, stdin: lines.join('') })
  const tree = (await git.read(['write-tree', '--missing-ok'], { environment })).trim()
  const diff = await git.read(['diff-tree', '-p', ...plainDiff, parent, tree])
  return { tree, diff }
}

export type NewCommit = {
  readonly tree: string
  readonly parent: string
  readonly message: string
  readonly author: string | undefined
}

/** `author`: `Anna <anna@example.org>`; undefined: as git knows the operator. */
export async function commitOf(git: Git, { tree, parent, message, author }: NewCommit): Promise<string> {
  const environment = author === undefined ? {} : identity(author)
  const args = ['commit-tree', tree, '-p', parent, '-F', '-']
  return (await git.read(args, { stdin: message, environment })).trim()
}

/** The commit as a mail that `git am` takes anywhere. */
export async function patchOf(git: Git, commit: string): Promise<string> {
  return await git.read(['format-patch', '--stdout', '-1', '--binary', ...plainDiff, commit])
}

/** A repository with a commit of these entries, of which only the given contents are in it: enough to make a patch of. */
export async function baseOf(
  git: Git,
  entries: readonly TreeEntry[],
  { contents, scratch }: { readonly contents: readonly Uint8Array[]; readonly scratch: Scratch },
): Promise<string> {
  const environment = { GIT_INDEX_FILE: join(scratch.directory, `index-${randomUUID()}`) }
  for (const content of contents) await blob(git, content)
  const lines = entries.map(({ path, kind, oid }) => `${modes[kind]} ${oid}\t${path}\0`)
  await git.read(['update-index', '-z', '--index-info'], { environment, stdin: lines.join('') })
  const tree = (await git.read(['write-tree', '--missing-ok'], { environment })).trim()
  const nobody = identity('Plumbline <plumb@localhost>')
  return (await git.read(['commit-tree', tree, '-m', 'as it was'], { environment: nobody })).trim()
}

const modes = { file: '100644', executable: '100755', symlink: '120000', submodule: '160000' } as const
const plainDiff = ['--no-renames', '--no-ext-diff', '--no-textconv', '--no-color', '--full-index']

async function blob(git: Git, content: Uint8Array): Promise<string> {
  return (await git.read(['hash-object', '-w', '--stdin', '--no-filters'], { stdin: content })).trim()
}

function identity(author: string): Readonly<Record<string, string>> {
  const [, name = '', mail = ''] = /^\s*(.*?)\s*<([^<>]*)>\s*$/.exec(author) ?? []
  return {
    GIT_AUTHOR_NAME: name,
    GIT_AUTHOR_EMAIL: mail,
    GIT_COMMITTER_NAME: name,
    GIT_COMMITTER_EMAIL: mail,
  }
}
