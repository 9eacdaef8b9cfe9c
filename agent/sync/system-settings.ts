// The git that keeps the agent's copy and reads repositories of this host: with settings of its own, and nothing that goes on behind its back.

import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { withoutUserInformation } from '../../shared/address.ts'
import { type Account, type Command, type CommandResult, endText, type Run } from '../../shared/command.ts'
import { compact } from '../../shared/compact.ts'
import { makeStateDirectory, replaceFile } from '../../shared/platform/durable.ts'
import { type ClosedGit, closedGit } from '../../shared/platform/git.ts'
import type { Address } from './address.ts'
import { gitMissing, later, unreachable } from './reasons.ts'

export type GitLimits = Pick<ClosedGit, 'deadlineSeconds' | 'stdin' | 'outputLimitBytes' | 'stop' | 'fileLimitBytes'>

export type SystemGit = {
  /** Exit codes are for the caller to judge; a missing git and a deadline are thrown as PlumbErrors. */
  run(args: readonly string[], limits?: GitLimits): Promise<CommandResult>
  /** For a git that is not started by `run`. */
  command(args: readonly string[], limits?: GitLimits): Command
}

export type SystemGitOptions = {
  readonly address: Address
  readonly run: Run
  /** Where the settings of git are kept. Default: git has none, and can only read what is on this host. */
  readonly directory?: string
  /** Default: the user who runs plumb. */
  readonly user?: Account
}

export function createSystemGit({ address, run, directory, user }: SystemGitOptions): SystemGit {
  const configuration = directory === undefined ? undefined : join(directory, 'gitconfig')
  let configured: Promise<void> | undefined
  const command = (args: readonly string[], limits: GitLimits = {}) =>
    closedGit(args, {
      ...limits,
      ...(configuration === undefined ? {} : { configuration, ...reaching(address) }),
      ...compact({ user }),
    })
  return {
    command,
    run: async (args, limits = {}) => {
      configured ??= keepSettings(configuration)
      await configured
      const asked = command(args, limits)
      const result = await run(asked)
      if (result.code === 127) throw gitMissing(address)
      if (result.code === 'deadline' || typeof result.code === 'object') {
        const verb = args.find((arg) => !arg.startsWith('-')) ?? ''
        throw unreachable(address.url, {
          why: `${endText({ ...limits, args: closedGit(args).args }, result)} (git ${verb})`,
          remedy: later,
        })
      }
      return result
    },
  }
}

/** The end of what git said, in one line. */
export function saidInOneLine(stderr: string): string {
  const lines = stderr.split('\n').map((line) => line.trim())
  const said = lines.filter((line) => line !== '' && !line.startsWith('hint:')).slice(-5)
  return withoutUserInformation(said.join(' / ')).slice(0, 1500).replace(/\.$/, '') || 'nothing'
}

// The copy is made anew beside itself when it has grown: nothing is collected behind the agent's back. Packs are kept as they
// come, so that their sizes alone tell whether the copy is whole.
const settings = `[core]
	fsync = committed
	bigFileThreshold = 16m
	deltaBaseCacheLimit = 16m
[pack]
	threads = 1
[fetch]
	unpackLimit = 1
[transfer]
	unpackLimit = 1
`

async function keepSettings(configuration: string | undefined): Promise<void> {
  if (configuration === undefined) return
  const kept = await readFile(configuration, 'utf8').catch(() => undefined)
  if (kept === settings) return
  makeStateDirectory(dirname(configuration))
  replaceFile({ path: configuration, content: settings })
}

function reaching({ kind }: Address): Pick<ClosedGit, 'transports' | 'environment'> {
  if (kind !== 'ssh') return { transports: ['file'] }
  const agentSocket = process.env['SSH_AUTH_SOCK']
  return {
    transports: ['ssh'],
    environment: {
      HOME: process.env['HOME'] ?? '/root',
      GIT_SSH_COMMAND: 'ssh -oBatchMode=yes -oConnectTimeout=20 -oServerAliveInterval=15 -oServerAliveCountMax=3',
      ...compact({ SSH_AUTH_SOCK: agentSocket }),
    },
  }
}
