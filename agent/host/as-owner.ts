// Runs root's work in a directory of another user with its owner's rights: a link in it leads to no more than they
// could write themselves. Decision: docs/decisions/2026-11-30-read-as-the-owner.md

import { stat } from 'node:fs/promises'
import type { Account, Run } from '../../shared/command.ts'
import { errnoOf } from '../../shared/errno.ts'
import { PlumbError } from '../../shared/problem.ts'
import { accountWithGroup } from './operator.ts'

/** The rights are the whole process's: nothing else may run meanwhile. Without root, the caller's own rights apply. */
export async function asOwner<Result>(directory: string, run: Run, work: () => Promise<Result>): Promise<Result> {
  const { uid } = await stat(directory)
  if (process.geteuid?.() !== 0 || uid === 0) return await work()
  const back = become(await accountWithGroup(uid, run))
  try {
    return await work()
  } catch (error) {
    throw isDenied(error) ? notTheirs({ directory, uid, error }) : error
  } finally {
    back()
  }
}

function become({ uid, gid }: Account): () => void {
  const groups = process.getgroups?.() ?? []
  const group = process.getegid?.() ?? 0
  process.setgroups?.([gid])
  process.setegid?.(gid)
  process.seteuid?.(uid)
  return () => {
    process.seteuid?.(0)
    process.setegid?.(group)
    process.setgroups?.(groups)
  }
}

function isDenied(error: unknown): error is Error & { readonly path?: string } {
  return ['EACCES', 'EPERM'].includes(errnoOf(error) ?? '')
}

type Denied = { readonly directory: string; readonly uid: number; readonly error: Error & { readonly path?: string } }

function notTheirs({ directory, uid, error }: Denied): PlumbError {
  return new PlumbError(
    {
      code: 'usage',
      message: `${directory} belongs to uid ${uid}, who may not write ${error.path ?? 'in it'}; nothing is written there as root.`,
      remedy: `Give it to them, or use a clone of your own: ls -lan ${directory}`,
    },
    { cause: error },
  )
}
