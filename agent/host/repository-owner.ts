// Who has to read a repository of this host: its owner, whose settings git obeys in it.
import { lstat, realpath } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Account, Run } from '../../shared/command.ts'
import { PlumbError } from '../../shared/problem.ts'
import { accountWithGroup } from './operator.ts'

/**
 * For a directory of a repository, or below one. Undefined: the user who runs plumb. git holds the ownership of every part against its
 * own user, and refuses a repository of several. Throws PlumbError when only root could become the owner.
 */
export async function repositoryOwner(directory: string, run: Run): Promise<Account | undefined> {
  const uid = await ownerOf(directory)
  const own = process.geteuid?.()
  if (uid === undefined || uid === own) return undefined
  if (own === 0) return await accountWithGroup(uid, run)
  throw new PlumbError({
    code: 'usage',
    message: `${directory} is a repository of another user (uid ${uid}), who decides what git runs in it.`,
    remedy: 'Run this as its owner or as root, or use a clone of your own.',
  })
}

/** Undefined when nothing is there: git says so in its own words. */
async function ownerOf(directory: string): Promise<number | undefined> {
  const start = await realpath(directory).catch(() => undefined)
  if (start === undefined) return undefined
  for (let at = start; ; at = dirname(at)) {
    const found = (await uidOf(join(at, '.git'))) ?? (await bareOwner(at))
    if (found !== undefined) return found
    if (at === dirname(at)) return await uidOf(start)
  }
}

async function bareOwner(directory: string): Promise<number | undefined> {
  const parts = await Promise.all(['HEAD', 'objects', 'refs'].map((name) => uidOf(join(directory, name))))
  return parts.includes(undefined) ? undefined : await uidOf(directory)
}

async function uidOf(path: string): Promise<number | undefined> {
  return (await lstat(path).catch(() => undefined))?.uid
}
