// git in the operator's name: plumbing in a repository whose work tree and index are never touched, and what talks to a remote.

import { withoutUserInformation } from '../../shared/address.ts'
import { lastLines } from '../../shared/command.ts'
import { type PersonsGitOptions, personsGit } from '../../shared/platform/git.ts'
import { PlumbError } from '../../shared/problem.ts'
import { type Operator, runAttended } from '../host/operator.ts'

export type Git = {
  readonly directory: string
  /** Standard output. Throws PlumbError with git's own words. */
  read(args: readonly string[], options?: PersonsGitOptions): Promise<string>
  /** Undefined when git says no. */
  ask(args: readonly string[]): Promise<string | undefined>
  /** May ask the person for a password. */
  attended(args: readonly string[]): Promise<{ readonly code: number; readonly output: string }>
}

export function gitIn(directory: string, operator: Operator): Git {
  const call = (args: readonly string[], options?: PersonsGitOptions) =>
    operator.run(personsGit(operator, ['-C', directory, ...settings, ...args], options))
  return {
    directory,
    read: async (args, options) => {
      const result = await call(args, options)
      if (result.code === 0) return result.stdout
      if (result.code === 127) throw notInstalled
      throw gitFailed(args, withoutUserInformation(lastLines(result, 5)))
    },
    ask: async (args) => {
      const result = await call(args)
      if (result.code === 127) throw notInstalled
      return result.code === 0 ? result.stdout.trim() : undefined
    },
    attended: (args) => runAttended(operator, personsGit(operator, ['-C', directory, ...args]).args),
  }
}

/** A person's name and mail are not guessed from the machine's. */
const settings = ['-c', 'user.useConfigOnly=true', '-c', 'core.quotePath=false', '-c', 'core.fsmonitor=false']

const notInstalled = new PlumbError({
  code: 'git-missing',
  message: 'git is not on this machine.',
  remedy: 'Install git: plumb adopt commits with it.',
})

function gitFailed(args: readonly string[], said: string): PlumbError {
  if (/tell me who you are|user\.useConfigOnly|no email was given|empty ident/i.test(said))
    return new PlumbError({
      code: 'usage',
      message: 'git does not know who you are, and the commit needs an author.',
      remedy: 'Add --author "Anna <anna@example.org>", or set it once: git config --global user.name and user.email.',
    })
  const dubious = /dubious ownership/.test(said)
  return new PlumbError({
    code: 'usage',
    message: `git ${args[0] ?? ''} failed: ${said}`,
    remedy: dubious ? 'Run plumb adopt as the owner of the clone, by sudo.' : 'Try it by hand in the clone.',
  })
}
