// Runs the system git for the server: argument arrays, a deadline for its whole process group, output as bytes.
import type { ChildProcess } from 'node:child_process'
import type { Readable } from 'node:stream'
import { withoutUserInformation } from '../../shared/address.ts'
import { guarded } from '../../shared/platform/guarded.ts'
import { killGroup, startChild } from '../child.ts'

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
  return (call) =>
    new Promise((resolve) => {
      const child = start(call)
      const stdout = collect(child.stdout, call.outputLimitBytes ?? 64 * 1024 * 1024, () => end('too-much'))
      const stderr = collect(child.stderr, 64 * 1024)
      const failed = () => end('killed')
      const late = guarded(() => end('deadline'), failed)
      const timer = setTimeout(late, (call.deadlineSeconds ?? 60) * 1000)
      let forced: GitResult['outcome'] | undefined
      const end = (why: GitResult['outcome']) => {
        forced ??= why
        killGroup(child)
      }
      const settle = (outcome: GitResult['outcome']) => {
        clearTimeout(timer)
        resolve({
          outcome: forced ?? outcome,
          stdout: stdout(),
          stderr: withoutUserInformation(stderr().toString('utf8').trim()),
        })
      }
      child.once(
        'error',
        guarded(() => settle('not-installed'), failed),
      )
      child.once(
        'close',
        guarded((code: number | null) => settle(code ?? 'killed'), failed),
      )
    })
}

/** What every git of the server runs with: no prompt, nobody's own settings, no path read as a pattern. */
export function gitEnvironment(configuration = '/dev/null'): Record<string, string> {
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
  const own = passed.flatMap((name) => {
    const value = process.env[name]
    return value === undefined ? [] : [[name, value] as const]
  })
  return {
    ...Object.fromEntries(own),
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    LC_ALL: 'C.UTF-8',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: configuration,
    GIT_ATTR_NOSYSTEM: '1',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_PAGER: 'cat',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: '',
    GIT_SSH_COMMAND: 'ssh -oBatchMode=yes -oConnectTimeout=15',
    GIT_ALLOW_PROTOCOL: 'http:https:ssh:file',
    GIT_LITERAL_PATHSPECS: '1',
    GIT_NO_LAZY_FETCH: '1',
    GIT_OPTIONAL_LOCKS: '0',
    // git's own bound on one allocation. Files above bigFileThreshold are streamed; what a delta makes has to be in memory.
    GIT_ALLOC_LIMIT: '256m',
  }
}

/** Programs that a repository's own settings can name. */
const closedSettings = [
  ...['core.fsmonitor=false', 'core.hooksPath=/dev/null', 'core.attributesFile=/dev/null', 'core.pager=cat'],
  ...['log.showSignature=false', 'gpg.program=false', 'gpg.ssh.program=false', 'gpg.x509.program=false'],
].flatMap((setting) => ['-c', setting])

function start(call: GitCall): ChildProcess {
  const directory = call.gitDirectory === undefined ? [] : [`--git-dir=${call.gitDirectory}`]
  const [program, ...args] = limited(['git', ...closedSettings, ...directory, ...call.args], call.fileLimitBytes)
  const child = startChild(program, args, {
    stderr: 'pipe',
    environment: gitEnvironment(call.configuration),
  })
  child.stdin?.end(call.stdin ?? '')
  return child
}

/** git has no limit of its own for what it fetches; the kernel has one for every file. */
function limited(command: readonly [string, ...string[]], bytes: number | undefined): readonly [string, ...string[]] {
  if (bytes === undefined) return command
  return ['sh', '-c', 'ulimit -f "$0" && exec "$@"', String(Math.floor(bytes / 512)), ...command]
}

/** Without `overflow` the end is kept, which is where git says what went wrong. */
function collect(stream: Readable | null, limitBytes: number, overflow?: () => void): () => Buffer {
  const chunks: Buffer[] = []
  let size = 0
  const take = (chunk: Buffer) => {
    chunks.push(chunk)
    size += chunk.length
    if (size <= limitBytes) return
    if (overflow !== undefined) return overflow()
    while (size - (chunks[0]?.length ?? 0) >= limitBytes) size -= chunks.shift()?.length ?? 0
  }
  stream?.on(
    'data',
    guarded(take, () => stream.destroy()),
  )
  return () => Buffer.concat(chunks)
}
