// The system git of the server's own clone: what every one of them runs with, and output as bytes that is whole or nothing.
import { withoutUserInformation } from '../../shared/address.ts'
import type { Command } from '../../shared/command.ts'
import { closedGit } from '../../shared/platform/git.ts'
import { type BytesResult, createRunBytes } from '../../shared/platform/run.ts'

export type GitCall = {
  /** After `git`; what comes from outside stands behind `--end-of-options` or `--`. */
  readonly args: readonly string[]
  /** The bare repository. */
  readonly gitDirectory?: string
  /** A file that stands for the user's and the system's configuration. */
  readonly configuration?: string
  readonly stdin?: string
  /** Default 60. */
  readonly deadlineSeconds?: number
  /** Default 64 MiB; more is the outcome `too-much`, never a silent cut. */
  readonly outputLimitBytes?: number
  /** No file that it writes becomes larger: the pack of a fetch. */
  readonly fileLimitBytes?: number
}

export type GitResult = {
  readonly outcome: number | 'deadline' | 'too-much' | 'not-installed' | 'killed'
  readonly stdout: Buffer
  readonly stderr: string
}

export type Git = (call: GitCall) => Promise<GitResult>

/** The returned function never rejects. */
export function createGit(): Git {
  const run = createRunBytes({ environment: {}, graceSeconds: 0, overflow: 'kill' })
  return async (call) => {
    const { code, stdout, stderr } = await run(serverGit(call))
    return { outcome: outcomeOf(code), stdout, stderr: withoutUserInformation(stderr.toString('utf8').trim()) }
  }
}

/** No prompt, no settings of a person, no path read as a pattern. */
export function serverGit({ args, gitDirectory, outputLimitBytes = 64 * 1024 * 1024, ...call }: GitCall): Command {
  const directory = gitDirectory === undefined ? [] : [`--git-dir=${gitDirectory}`]
  return closedGit([...directory, ...args], {
    ...call,
    outputLimitBytes,
    isOwn: true,
    transports: ['http', 'https', 'ssh', 'file'],
    environment: {
      ...passedEnvironment(),
      GIT_SSH_COMMAND: 'ssh -oBatchMode=yes -oConnectTimeout=15',
      GIT_LITERAL_PATHSPECS: '1',
      // Above the default: the server's clone has the whole history.
      GIT_ALLOC_LIMIT: '256m',
    },
  })
}

const passed = [
  'HOME',
  'SSH_AUTH_SOCK',
  'http_proxy',
  'https_proxy',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'no_proxy',
  'NO_PROXY',
]

function passedEnvironment(): Readonly<Record<string, string>> {
  const entries = passed.flatMap((name) => {
    const value = process.env[name]
    return value === undefined ? [] : [[name, value] as const]
  })
  return Object.fromEntries(entries)
}

function outcomeOf(code: BytesResult['code']): GitResult['outcome'] {
  if (typeof code === 'object') return 'killed'
  return code === 127 || code === 126 ? 'not-installed' : code
}
