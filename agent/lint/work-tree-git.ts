// git in a work tree that lint looks at, which may be another user's: nothing that its settings name is run. In the user's own, their
// exclude file and line endings count, because they decide what their commit would hold.

import { access } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Command, CommandResult, Run } from '../../shared/command.ts'
import { compact } from '../../shared/compact.ts'
import { closedGit } from '../../shared/platform/git.ts'
import { PlumbError } from '../../shared/problem.ts'
import { requirePlainGitFiles } from '../host/git-files.ts'
import { repositoryOwner } from '../host/repository-owner.ts'

export type WorkTreeGit = {
  run(args: readonly string[], options?: GitOptions): Promise<CommandResult>
  /** For a git that is not started by `run`. */
  command(args: readonly string[], options?: GitOptions): Command
  readonly user: Command['user']
}

type GitOptions = Pick<Command, 'stdin' | 'environment'>

/** Undefined without git, and where another user decides what git runs. Throws PlumbError where git would wait for a FIFO. */
export async function workTreeGit(directory: string, run: Run): Promise<WorkTreeGit | undefined> {
  const user = await repositoryOwner(directory, run).catch((error: unknown) => {
    if (error instanceof PlumbError) return 'refused' as const
    throw error
  })
  if (user === 'refused') return undefined
  await requirePlainGitFiles(directory)
  const own = user === undefined ? await ownSettings() : { environment: {} }
  const command: WorkTreeGit['command'] = (args, { environment, ...given } = {}) =>
    closedGit(['-C', resolve(directory), ...args], {
      ...given,
      ...own,
      deadlineSeconds: 300,
      outputLimitBytes: 128 * 1024 * 1024,
      environment: { ...own.environment, ...environment },
      ...compact({ user }),
    })
  const git: WorkTreeGit = { command, user, run: (args, options) => run(command(args, options)) }
  return (await git.run(['--version'])).code === 0 ? git : undefined
}

type OwnSettings = { readonly configuration?: string; readonly environment: Readonly<Record<string, string>> }

async function ownSettings(): Promise<OwnSettings> {
  const { HOME: home = '/', XDG_CONFIG_HOME: config = join(home, '.config'), GIT_CONFIG_GLOBAL: given } = process.env
  const environment = { HOME: home, XDG_CONFIG_HOME: config }
  const places = given === undefined ? [join(home, '.gitconfig'), join(config, 'git/config')] : [given]
  for (const configuration of places)
    if (
      await access(configuration).then(
        () => true,
        () => false,
      )
    )
      return { configuration, environment }
  return { environment }
}
