// Runs the system git for the server: argument arrays, a deadline for its whole process group, output as bytes.
import { type ChildProcess, spawn } from 'node:child_process'
import type { Readable } from 'node:stream'

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
      const timer = setTimeout(() => end('deadline'), (call.deadlineSeconds ?? 60) * 1000)
      let forced: GitResult['outcome'] | undefined
      const end = (why: GitResult['outcome']) => {
        forced ??= why
        killGroup(child)
      }
      const settle = (outcome: GitResult['outcome']) => {
        clearTimeout(timer)
        resolve({ outcome: forced ?? outcome, stdout: stdout(), stderr: stderr().toString('utf8').trim() })
      }
      child.once('error', () => settle('not-installed'))
      child.once('close', (code) => settle(code ?? 'killed'))
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
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: '',
    GIT_SSH_COMMAND: 'ssh -oBatchMode=yes -oConnectTimeout=15',
    GIT_ALLOW_PROTOCOL: 'http:https:ssh:file',
    GIT_LITERAL_PATHSPECS: '1',
    GIT_NO_LAZY_FETCH: '1',
    GIT_OPTIONAL_LOCKS: '0',
  }
}

/** `detached` gave the child a group of its own: git's helpers (ssh, remote-https, index-pack) end with it. */
export function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    // ESRCH: all of it has ended.
  }
}

function start(call: GitCall): ChildProcess {
  const directory = call.gitDirectory === undefined ? [] : [`--git-dir=${call.gitDirectory}`]
  const child = spawn('git', [...directory, ...call.args], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: gitEnvironment(call.configuration),
  })
  // A git that ends before it has read its input says why by its exit code.
  child.stdin?.on('error', () => {})
  child.stdin?.end(call.stdin ?? '')
  return child
}

/** Without `overflow` the end is kept, which is where git says what went wrong. */
function collect(stream: Readable | null, limitBytes: number, overflow?: () => void): () => Buffer {
  const chunks: Buffer[] = []
  let size = 0
  stream?.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    size += chunk.length
    if (size <= limitBytes) return
    if (overflow !== undefined) return overflow()
    while (size - (chunks[0]?.length ?? 0) >= limitBytes) size -= chunks.shift()?.length ?? 0
  })
  return () => Buffer.concat(chunks)
}
