// The only place where the server starts a process: in /, in a process group of its own, with the variables given here and no
// others, and with the umask of a system service.
import { type ChildProcess, spawn } from 'node:child_process'
import { ignored } from '../shared/platform/guarded.ts'

export type ChildOptions = {
  readonly stderr: 'pipe' | 'ignore'
  /** All of it. */
  readonly environment: Readonly<Record<string, string>>
}

/** Its stdin and stdout are pipes. An error of a pipe is ignored: the child's exit code says what went wrong. */
export function startChild(
  program: string,
  args: readonly string[],
  { stderr, environment }: ChildOptions,
): ChildProcess {
  // node has no umask option: the child inherits the value that the process has while it forks, which spawn does before it returns.
  const before = process.umask(0o022)
  try {
    const child = spawn(program, args, { cwd: '/', detached: true, stdio: ['pipe', 'pipe', stderr], env: environment })
    for (const emitter of [child, child.stdin, child.stdout, child.stderr]) emitter?.on('error', ignored)
    return child
  } finally {
    process.umask(before)
  }
}

/** git's helpers (ssh, remote-https, index-pack) end with it. */
export function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    // ESRCH: all of it has ended.
  }
}
