// The only place where agent and server start a process. Every child starts in /, with the variables given here and no others, and with
// the umask of a system service: the caller of `plumb` decides none of them.
import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { errnoOf } from '../errno.ts'
import { ignored } from './guarded.ts'

export const searchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** What a program needs at least that expects the environment of a system service. */
export const minimalEnvironment = { LANG: 'C.UTF-8', HOME: '/root', PATH: searchPath } as const

type Pipe = 'pipe' | 'ignore' | 'inherit'
/** With the open files that it has beside the three. */
type Streams = readonly [Pipe, Pipe, Pipe, ...number[]]

export type ChildOptions<Stdio extends Streams = Streams> = {
  readonly stdio: Stdio
  /** All of it. Default: `minimalEnvironment`. */
  readonly environment?: Readonly<Record<string, string>>
  /** Run as this user, with no other groups; default: as the user who runs plumb. */
  readonly user?: { readonly uid: number; readonly gid: number }
  /** In a process group of its own, so that `signalGroup` reaches its descendants too. */
  readonly detached?: boolean
}

/**
 * An error of a pipe is ignored: EPIPE says nothing that the child's exit code does not. So is the 'error' event of the child where the
 * caller does not listen to it.
 */
export function startChild(
  program: string,
  args: readonly string[],
  options: ChildOptions<readonly ['pipe', 'pipe', 'pipe']>,
): ChildProcessWithoutNullStreams
export function startChild(program: string, args: readonly string[], options: ChildOptions): ChildProcess
export function startChild(
  program: string,
  args: readonly string[],
  { stdio, environment = minimalEnvironment, user, detached = false }: ChildOptions,
): ChildProcess {
  // node has no umask option: the child inherits the value that the process has while it forks, which spawn does before it returns.
  const before = process.umask(0o022)
  try {
    const child = spawn(program, args, { cwd: '/', detached, stdio: [...stdio], env: { ...environment }, ...user })
    // Without a process there may be no pipe either (EMFILE).
    for (const emitter of [child, child.stdin, child.stdout, child.stderr]) emitter?.on('error', ignored)
    return child
  } finally {
    process.umask(before)
  }
}

/** Of a detached child. False when its group has no member left; signal 0 only asks. */
export function signalGroup({ pid }: Pick<ChildProcess, 'pid'>, signal: NodeJS.Signals | 0): boolean {
  if (pid === undefined) return false
  try {
    return process.kill(-pid, signal)
  } catch (error) {
    return errnoOf(error) === 'EPERM'
  }
}
