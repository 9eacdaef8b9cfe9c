// What every git that the agent starts runs with: no prompt, nobody's own settings, nothing that goes on behind its back.
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type CommandResult, endText, type Run } from '../host/run.ts'
import { makeStateDirectory, replaceFile } from '../state/durable.ts'
import type { Address } from './address.ts'
import { gitMissing, later, unreachable } from './reasons.ts'

export type GitLimits = { readonly deadlineSeconds?: number }

export type SystemGit = {
  /** Exit codes are for the caller to judge; a missing git and a deadline are thrown as PlumbErrors. */
  run(args: readonly string[], limits?: GitLimits): Promise<CommandResult>
  /** For a git that is not started by `run`. */
  readonly environment: Readonly<Record<string, string>>
}

/** `directory` is where git's configuration is kept. */
export function createSystemGit(address: Address, directory: string, run: Run): SystemGit {
  const configuration = join(directory, 'gitconfig')
  const environment = gitEnvironment(configuration)
  let configured: Promise<void> | undefined
  return {
    environment: { ...environment, PATH: searchPath },
    run: async (args, limits = {}) => {
      configured ??= keepSettings(configuration)
      await configured
      const command = { args: ['git', ...args], environment, cwd: '/', ...limits }
      const result = await run(command)
      if (result.code === 127) throw gitMissing(address)
      if (result.code === 'deadline' || typeof result.code === 'object') {
        const verb = args.find((arg) => !arg.startsWith('-')) ?? ''
        throw unreachable(address.url, { why: `${endText(command, result)} (git ${verb})`, remedy: later })
      }
      return result
    },
  }
}

/** The end of what git said, in one line. */
export function lastLines(stderr: string): string {
  const lines = stderr.split('\n').map((line) => line.trim())
  const said = lines.filter((line) => line !== '' && !line.startsWith('hint:')).slice(-5)
  return said.join(' / ').slice(0, 1500).replace(/\.$/, '') || 'nothing'
}

const searchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

// The copy is made anew beside itself when it has grown: nothing is collected behind the agent's back. Packs are kept as they
// come, so that their sizes alone tell whether the copy is whole.
const settings = `[safe]
	directory = *
[core]
	hooksPath = /dev/null
	fsmonitor = false
	fsync = committed
[gc]
	auto = 0
[maintenance]
	auto = false
[fetch]
	unpackLimit = 1
[transfer]
	unpackLimit = 1
`

async function keepSettings(configuration: string): Promise<void> {
  const kept = await readFile(configuration, 'utf8').catch(() => undefined)
  if (kept === settings) return
  makeStateDirectory(dirname(configuration))
  replaceFile({ path: configuration, content: settings })
}

function gitEnvironment(configuration: string): Readonly<Record<string, string>> {
  const agentSocket = process.env['SSH_AUTH_SOCK']
  return {
    HOME: process.env['HOME'] ?? '/root',
    LC_ALL: 'C.UTF-8',
    GIT_CONFIG_NOSYSTEM: '1',
    // A file, not GIT_CONFIG_COUNT: git does not pass that on to the upload-pack of a local remote.
    GIT_CONFIG_GLOBAL: configuration,
    GIT_TERMINAL_PROMPT: '0',
    GIT_SSH_COMMAND: 'ssh -oBatchMode=yes -oConnectTimeout=20 -oServerAliveInterval=15 -oServerAliveCountMax=3',
    GIT_ALLOW_PROTOCOL: 'ssh:file',
    GIT_NO_LAZY_FETCH: '1',
    GIT_OPTIONAL_LOCKS: '0',
    ...(agentSocket === undefined ? {} : { SSH_AUTH_SOCK: agentSocket }),
  }
}
