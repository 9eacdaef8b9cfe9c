// What `plumb adopt` asks of a person, and what it tells them, wherever the live content comes from.

import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf } from '../../shared/errno.ts'
import { PlumbError, type Problem, problemLine } from '../../shared/problem.ts'
import { shellWord } from '../../shared/shell-word.ts'
import type { Adoption, Refused } from '../adopt/adoption.ts'
import type { Delivered } from '../adopt/deliver.ts'
import { nameOf } from '../adopt/message.ts'
import type { Operator } from '../host/operator.ts'
import { answerTo } from './output.ts'

export type AdoptOptions = {
  /** The reason. */
  readonly message?: string
  /** The operator's clone. */
  readonly clone?: string
  readonly remote?: string
  /** Of the new branch. */
  readonly to?: string
  readonly author?: string
  readonly push: boolean
  readonly dryRun?: boolean
  readonly notSecret?: readonly string[]
}

/** As given, or as typed now. Throws PlumbError `usage` when there is nobody to ask. */
export async function whyGiven({ message }: AdoptOptions, of: readonly string[]): Promise<string> {
  const why = message ?? (process.stdin.isTTY ? await answerTo(`Why were ${of.join(', ')} changed? `) : '')
  if (why.trim() !== '' && why.length <= 10_000) return why
  throw new PlumbError({
    code: 'usage',
    message:
      why.trim() === ''
        ? 'Why was it changed? The commit says so to whoever meets it later.'
        : 'The reason is too long.',
    remedy: 'Add -m "the reason".',
  })
}

/** Undefined where nobody can be asked, or nothing was answered: git then says what is missing. */
export async function authorTyped(): Promise<string | undefined> {
  if (!process.stdin.isTTY) return undefined
  const answer = await answerTo('git does not know who you are. Who makes the commit (Name <mail>)? ')
  return answer.trim() === '' ? undefined : answer
}

export function refusedLines(refused: readonly Refused[]): readonly string[] {
  return refused.flatMap(({ id, problems }) =>
    problems.map((problem) => `not adopted: ${nameOf(id)}: ${problemLine(problem)}`),
  )
}

export function adoptedLines({ changes, adopted }: Adoption): readonly string[] {
  const files = [...changes].map(([source, { kind }]) =>
    kind === 'remove' ? `  removes ${source}` : `  writes ${source}`,
  )
  return [`adopted: ${adopted.map(({ id }) => nameOf(id)).join(', ')}`, ...files.toSorted()]
}

/** As given to `git am`; never over another file. Resolves to where it is. */
export async function writePatch(text: string, branch: string, { user }: Operator): Promise<string> {
  const path = join(process.cwd(), `${branch.replaceAll('/', '-')}.patch`)
  try {
    const file = await open(
      path,
      constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
      0o600,
    )
    try {
      await file.writeFile(text)
      if (user !== undefined) await file.chown(user.uid, user.gid)
    } finally {
      await file.close()
    }
    return path
  } catch (error) {
    const code = errnoOf(error) ?? 'unknown error'
    throw new PlumbError(
      {
        code: 'usage',
        message: `${path} cannot be written (${code}).`,
        remedy: 'Run plumb adopt in a directory of yours.',
      },
      { cause: error },
    )
  }
}

export type Told = { readonly delivered: Delivered; readonly patch: string | undefined }

/** What became of it, and what to do now. */
export function deliveredLines({ delivered, patch }: Told): readonly string[] {
  switch (delivered.kind) {
    case 'pushed':
      return [
        `pushed ${delivered.commit.slice(0, 12)} as ${delivered.branch}`,
        'Merge it; the next apply then finds the host as it should be.',
      ]
    case 'kept':
      return [
        ...(delivered.said === undefined ? [] : [`git could not push it: ${delivered.said}`]),
        `committed ${delivered.commit.slice(0, 12)} as ${delivered.branch}, in your clone alone`,
        pushLine(delivered),
      ]
    case 'patch':
      return [
        ...(delivered.said === undefined ? [] : [`it could not be pushed from here: ${delivered.said}`]),
        `the commit is kept as ${patch}`,
        `In a clone, on a branch of its own: git am ${patch}`,
      ]
  }
}

function pushLine({ clone, remote, branch }: Extract<Delivered, { kind: 'kept' }>): string {
  const git = `git${clone === process.cwd() ? '' : ` -C ${shellWord(clone)}`} push`
  return remote === undefined
    ? `The clone has no remote. Push it to the repository that the host follows: ${git} URL ${shellWord(branch)}`
    : `Push it: ${git} ${shellWord(remote)} ${shellWord(branch)}`
}

export type Unheld = { readonly service: string; readonly isRepaired: boolean }

/** The options and needs of the command that holds a service. */
export type Holding = { readonly options: string; readonly needs?: string }

export function unheldLines(unheld: readonly Unheld[], { options, needs }: Holding): readonly string[] {
  const lines = unheld.map(({ service, isRepaired }) => {
    const who = isRepaired ? 'the agent undoes the change (onDrift: repair)' : 'an apply undoes the change'
    return `Until it is merged ${who}. To keep it: plumb hold ${service} --for 1d --why "..."${options}`
  })
  return needs === undefined || lines.length === 0 ? lines : [...lines, needs]
}

export function problemsOfRefused(refused: readonly Refused[]): readonly Problem[] {
  return refused.flatMap(({ problems }) => problems)
}
