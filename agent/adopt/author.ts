// Who makes the commit, where neither an option nor the operator's git says so.
import { isAbsolute } from 'node:path'
import type { Operator } from '../host/operator.ts'
import { type Git, gitIn } from './git.ts'
import type { CommitPlace } from './place.ts'

/**
 * `Anna <anna@example.org>`; undefined where git knows the operator, or `ask` finds no one. A remote that is a directory of this machine
 * may have an identity among its own settings.
 */
export async function authorFor(
  { git, remote }: CommitPlace,
  operator: Operator,
  ask: () => Promise<string | undefined>,
): Promise<string | undefined> {
  if ((await identityOf(git)) !== undefined) return undefined
  const ofRemote = remote === undefined || !isAbsolute(remote) ? undefined : await identityOf(gitIn(remote, operator))
  return ofRemote ?? (await ask())
}

/** `Anna <anna@example.org>`; undefined where git would refuse to commit. */
export async function identityOf(git: Git): Promise<string | undefined> {
  const found = await git.ask(['var', 'GIT_COMMITTER_IDENT'])
  return /^(.*>) \d+ [+-]\d+$/.exec(found ?? '')?.[1]
}
