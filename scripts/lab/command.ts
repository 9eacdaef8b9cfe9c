// Running programs: an argument array in, exit code and output out, nothing left running past its deadline.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'

export type Ran = { readonly code: number; readonly stdout: string; readonly stderr: string }

export type RunOptions = {
  readonly input?: string | Buffer
  /** A file descriptor to read from instead of `input`. */
  readonly stdin?: number
  readonly env?: Readonly<Record<string, string>>
  readonly timeoutMs?: number
  /** Called with each part of its standard output as it comes. */
  readonly onOutput?: (text: string) => void
}

/** A code of 128 + n says that signal n ended it, as in a shell. Rejects when it cannot be started or takes too long. */
export async function run(args: Arguments, options: RunOptions = {}): Promise<Ran> {
  const [program, ...rest] = args
  const timeoutMs = options.timeoutMs ?? 300_000
  const child = spawn(program, rest, {
    detached: true,
    env: { ...(options.env ?? process.env) },
    stdio: [options.stdin ?? 'pipe', 'pipe', 'pipe'],
  })
  const stdout: Buffer[] = []
  const stderr: Buffer[] = []
  child.stdout?.on('data', (chunk: Buffer) => {
    stdout.push(chunk)
    options.onOutput?.(chunk.toString('utf8'))
  })
  child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk))
  // A program may end without reading its input; that is not an error of ours.
  child.stdin?.on('error', () => {})
  child.stdin?.end(options.input ?? '')
  let isLate = false
  const deadline = setTimeout(() => {
    isLate = true
    killGroup(child.pid)
  }, timeoutMs)
  try {
    const [code, signal] = await once(child, 'close')
    const ran = { code: codeOf(code, signal), stdout: textOf(stdout), stderr: textOf(stderr) }
    if (isLate) throw new CommandFailed(args, ran, `did not end within ${timeoutMs / 1000} s`)
    return ran
  } finally {
    clearTimeout(deadline)
  }
}

/** The output of a program that must succeed. */
export async function outputOf(args: Arguments, options: RunOptions = {}): Promise<string> {
  const ran = await run(args, options)
  if (ran.code !== 0) throw new CommandFailed(args, ran, `exit ${ran.code}`)
  return ran.stdout
}

/** For tear-down, which also runs while the process exits and cannot wait for anything then. */
export function runNow(args: Arguments): Ran {
  const [program, ...rest] = args
  const { status, signal, stdout, stderr, error } = spawnSync(program, rest, { encoding: 'utf8', timeout: 300_000 })
  if (error !== undefined) throw new CommandFailed(args, { code: 127, stdout: '', stderr: '' }, error.message)
  return { code: codeOf(status, signal), stdout, stderr }
}

export function outputNow(args: Arguments): string {
  const ran = runNow(args)
  if (ran.code !== 0) throw new CommandFailed(args, ran, `exit ${ran.code}`)
  return ran.stdout
}

/** Put before a program that must not outlive the thread that started it, however that ends. */
export const untilParentEnds: Arguments = ['setpriv', '--pdeathsig', 'KILL', '--']

export type Arguments = readonly [program: string, ...args: string[]]

export class CommandFailed extends Error {
  override readonly name = 'CommandFailed'
  readonly ran: Ran

  constructor(args: readonly string[], ran: Ran, reason: string) {
    const output = `${ran.stdout}${ran.stderr}`.trim().split('\n').slice(-20).join('\n')
    super(`${args.join(' ')}: ${reason}${output === '' ? '' : `\n${output}`}`)
    this.ran = ran
  }
}

function codeOf(code: unknown, signal: unknown): number {
  if (typeof code === 'number') return code
  return signal === 'SIGKILL' ? 137 : 128
}

function textOf(chunks: readonly Buffer[]): string {
  return Buffer.concat(chunks).toString('utf8')
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It ended in between.
  }
}
