// The only place where the agent starts a process. Every child starts in /, with the variables given here and no others, and with
// the umask of a system service: whoever calls `plumb` decides none of them.
import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'

export const searchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

type Pipe = 'pipe' | 'ignore' | 'inherit'
/** With the open files that it has beside the three. */
type Streams = readonly [Pipe, Pipe, Pipe, ...number[]]

export type ChildOptions<Stdio extends Streams = Streams> = {
  readonly stdio: Stdio
  /** Added to LANG=C.UTF-8, HOME=/root and a fixed PATH. */
  readonly environment?: Readonly<Record<string, string>>
  /** Run as this user, with no other groups; default: as the user who runs plumb. */
  readonly user?: { readonly uid: number; readonly gid: number }
  /** In a process group of its own, so that `kill(-pid)` ends its descendants too. */
  readonly detached?: boolean
}

export function startChild(
  program: string,
  args: readonly string[],
  options: ChildOptions<readonly ['pipe', 'pipe', 'pipe']>,
): ChildProcessWithoutNullStreams
export function startChild(program: string, args: readonly string[], options: ChildOptions): ChildProcess
export function startChild(
  program: string,
  args: readonly string[],
  { stdio, environment, user, detached = false }: ChildOptions,
): ChildProcess {
  // node has no umask option: the child inherits the value that the process has while it forks, which spawn does before it returns.
  const before = process.umask(0o022)
  try {
    return spawn(program, args, {
      cwd: '/',
      detached,
      stdio: [...stdio],
      env: { LANG: 'C.UTF-8', HOME: '/root', PATH: searchPath, ...environment },
      ...user,
    })
  } finally {
    process.umask(before)
  }
}
