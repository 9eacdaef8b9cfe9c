// A commit on a branch of its own, pushed; where it cannot be pushed, a patch that can be used elsewhere. No branch is ever moved.
import { PlumbError } from '../../shared/problem.ts'
import { commitOf, patchOf } from './commit.ts'
import type { CommitPlace } from './place.ts'

export type Delivery = {
  readonly tree: string
  readonly message: string
  readonly author: string | undefined
  readonly branch: string
  readonly push: boolean
}

export type Delivered =
  | { readonly kind: 'pushed'; readonly commit: string; readonly branch: string; readonly remote: string }
  /** In the operator's clone alone. `remote`: where it could be pushed from there. `said`: why it was not. */
  | {
      readonly kind: 'kept'
      readonly commit: string
      readonly branch: string
      readonly clone: string
      readonly remote: string | undefined
      readonly said: string | undefined
    }
  | { readonly kind: 'patch'; readonly text: string; readonly said: string | undefined }

export type Where = CommitPlace & { readonly isOwnClone: boolean }

export async function deliver(
  { git, parent, remote, isOwnClone }: Where,
  { tree, message, author, branch, push }: Delivery,
): Promise<Delivered> {
  const commit = await commitOf(git, { tree, parent, message, author })
  const ref = `refs/heads/${branch}`
  if (isOwnClone) await makeBranch(ref)
  if (!push || remote === undefined)
    return isOwnClone
      ? { kind: 'kept', commit, branch, clone: git.directory, remote, said: undefined }
      : { kind: 'patch', text: await patchOf(git, commit), said: undefined }
  // An empty expectation: the remote must not have the branch.
  const { code, output } = await git.attended([
    'push',
    '--quiet',
    `--force-with-lease=${ref}:`,
    '--',
    remote,
    `${commit}:${ref}`,
  ])
  if (code === 0) return { kind: 'pushed', commit, branch, remote }
  return isOwnClone
    ? { kind: 'kept', commit, branch, clone: git.directory, remote, said: output }
    : { kind: 'patch', text: await patchOf(git, commit), said: output }

  async function makeBranch(name: string): Promise<void> {
    if ((await git.ask(['check-ref-format', name])) === undefined)
      throw new PlumbError({
        code: 'usage',
        message: `"${branch}" is no name of a branch.`,
        remedy: 'Choose another: --to NAME',
      })
    if ((await git.ask(['rev-parse', '--verify', '--quiet', name])) !== undefined)
      throw new PlumbError({
        code: 'usage',
        message: `The clone has a branch ${branch} already.`,
        remedy: 'Name another branch: --to NAME',
      })
    await git.read(['update-ref', name, commit, '0'.repeat(40)])
  }
}
