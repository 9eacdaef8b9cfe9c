// Where the commit is made: the operator's clone, a temporary one of a remote, or - with no remote to push to - a repository that holds no more
// than a patch needs.
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Revision } from '../../shared/names.ts'
import { PlumbError } from '../../shared/problem.ts'
import type { Operator } from '../host/operator.ts'
import type { RevisionReader } from '../sync/revision.ts'
import type { FileChange } from './changeset.ts'
import { baseOf } from './commit.ts'
import { type Git, gitIn } from './git.ts'
import type { Scratch } from './scratch.ts'

export type CommitPlace = {
  readonly git: Git
  /** The commit that the new one stands on. */
  readonly parent: string
  /** A name or an address; undefined: nowhere. */
  readonly remote: string | undefined
}

export type CloneOptions = {
  readonly directory: string
  /** Default: the remote that the clone's branch follows, else `origin`. */
  readonly remote: string | undefined
  readonly head: Revision
}

/** Throws PlumbError when it is no clone that has, or can fetch, the revision. */
export async function inClone({ directory, remote, head }: CloneOptions, operator: Operator): Promise<CommitPlace> {
  const git = gitIn(directory, operator)
  if ((await git.ask(['rev-parse', '--git-dir'])) === undefined)
    throw new PlumbError({
      code: 'usage',
      message: `${directory} is no git repository, or one that git does not let you use.`,
      remedy: 'Name your clone: --clone DIR. Under sudo it has to be yours.',
    })
  const to = remote ?? (await remoteOf(git))
  if (!(await has(git, head))) {
    const from = to ?? 'origin'
    const { code, output } = await git.attended(['fetch', '--quiet', from])
    if (code !== 0 || !(await has(git, head)))
      throw new PlumbError({
        code: 'usage',
        message:
          `${directory} does not have the revision ${head.slice(0, 12)}${code === 0 ? '' : `, and git fetch ${from} failed: ${output}`}.`.slice(
            0,
            4000,
          ),
        remedy: 'Is it a clone of the repository that the host follows? Fetch it by hand, then adopt again.',
      })
  }
  return { git, parent: head, remote: to }
}

async function has(git: Git, revision: Revision): Promise<boolean> {
  return (await git.ask(['cat-file', '-e', `${revision}^{commit}`])) !== undefined
}

export async function remoteOf(git: Git): Promise<string | undefined> {
  const branch = await git.ask(['symbolic-ref', '--quiet', '--short', 'HEAD'])
  const followed = branch === undefined ? undefined : await git.ask(['config', '--get', `branch.${branch}.remote`])
  const all = (await git.ask(['remote']))?.split('\n').filter((name) => name !== '') ?? []
  return followed ?? (all.includes('origin') ? 'origin' : all[0])
}

export type FetchOptions = {
  readonly url: string
  /** Default: the remote's HEAD. */
  readonly branch: string | undefined
  readonly head: Revision
}

/** A clone of the one revision. Undefined with what git said when it cannot be had with the operator's credentials. */
export async function fetched(
  { url, branch, head }: FetchOptions,
  operator: Operator,
  scratch: Scratch,
): Promise<CommitPlace | { readonly said: string }> {
  const git = await emptyRepository(join(scratch.directory, 'clone'), operator)
  const fetch = (what: string) => git.attended(['fetch', '--quiet', '--no-tags', '--depth=1', '--', url, what])
  // Not every server gives a commit by its id; what the branch has now is the same, unless it moved meanwhile.
  const byName = await fetch(branch === undefined ? 'HEAD' : `refs/heads/${branch}`)
  if (byName.code !== 0) return { said: byName.output }
  if (!(await has(git, head))) {
    const byId = await fetch(head)
    if (byId.code !== 0)
      return {
        said: `the remote does not give ${head.slice(0, 12)}, which this host is at: it is another repository, or its branch has moved on. Adopt again after the next sync, or name another: --remote URL`,
      }
  }
  return { git, parent: head, remote: url }
}

/** Holds the commit as far as a patch needs it. */
export async function forPatch(
  reader: RevisionReader,
  changes: ReadonlyMap<string, FileChange>,
  { operator, scratch }: { readonly operator: Operator; readonly scratch: Scratch },
): Promise<CommitPlace> {
  const git = await emptyRepository(join(scratch.directory, 'patch'), operator)
  const entries = await reader.entries()
  const old = entries.filter(({ path }) => changes.has(path))
  const contents = await reader.readMany(old.map(({ oid }) => oid))
  return { git, parent: await baseOf(git, entries, { contents, scratch }), remote: undefined }
}

async function emptyRepository(directory: string, operator: Operator): Promise<Git> {
  const { user, run } = operator
  if (user === undefined) await mkdir(directory)
  else await run({ args: ['mkdir', '--', directory], user })
  const git = gitIn(directory, operator)
  await git.read(['init', '--quiet', '--bare', '.'])
  return git
}
