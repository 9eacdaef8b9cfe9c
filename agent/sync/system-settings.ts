// Runs git for the agent's copy and for local repositories: with its own settings, and without background maintenance.

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
  /** The caller handles exit codes; a missing git and a deadline are thrown as PlumbErrors. */
  run(args: readonly string[], limits?: GitLimits): Promise<CommandResult>
  /** Command and environment, for a git that is not started by `run`. */
  command(args: readonly string[], limits?: GitLimits): Command
}

export type SystemGitOptions = {
  readonly address: Address
  readonly run: Run
  /** Directory of git's settings. Without it, git can only read local repositories. */
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

/** The end of git's output as one line. */
export function saidInOneLine(stderr: string): string {
  const lines = stderr.split('\n').map((line) => line.trim())
  const said = lines.filter((line) => line !== '' && !line.startsWith('hint:')).slice(-5)
  return withoutUserInformation(said.join(' / ')).slice(0, 1500).replace(/\.$/, '') || 'nothing'
}

// No garbage collection: a copy that has grown is cloned again beside itself. Packs are kept as they
// come, so that their sizes alone show whether the copy is complete.
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
