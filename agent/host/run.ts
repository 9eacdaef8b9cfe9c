// Starts child processes: argument arrays, a deadline, a process group that is killed whole, bounded output, a minimal environment.
import type { ChildProcess } from 'node:child_process'
import type { Readable } from 'node:stream'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { searchPath, startChild } from './child.ts'

export type Command = {
  /** `['systemctl', 'reload', 'nginx.service']`; the first is looked up in a fixed PATH. */
  readonly args: readonly string[]
  readonly stdin?: Uint8Array | string
  /** Added to the minimal environment (PATH, LANG=C.UTF-8, HOME=/root); PATH cannot be replaced by it. */
  readonly environment?: Readonly<Record<string, string>>
  /** Run as this user, with no other groups; default: as whoever runs plumb. */
  readonly user?: { readonly uid: number; readonly gid: number }
  /** Default 60. */
  readonly deadlineSeconds?: number
  /** Open files that it has as 3, 4, ...: `/proc/self/fd/3` is this very file, whatever its name leads to by now. */
  readonly files?: readonly number[]
  /** Aborted: the command is ended as at its deadline. */
  readonly stop?: AbortSignal | undefined
  /** Kept of each stream, the end of it. Default 64 KiB; `query`s that need everything say so. */
  readonly outputLimitBytes?: number
}

export type CommandResult = {
  /** 127 when the program is not there, 126 when it could not be started; `stderr` then says why. */
  readonly code: number | 'deadline' | { readonly signal: string }
  readonly stdout: string
  readonly stderr: string
  /** Output was longer than the limit: its beginning is missing. */
  readonly cut?: true
}

export type Run = (command: Command) => Promise<CommandResult>

export type RunOptions = {
  /** Directories searched for programs. */
  readonly path?: string
  /** Between SIGTERM and SIGKILL, default 5. */
  readonly graceSeconds?: number
}

/** The returned function never rejects: whatever becomes of a command is in its result. */
export function createRun(options: RunOptions = {}): Run {
  const path = options.path ?? searchPath
  const graceMs = (options.graceSeconds ?? 5) * 1000
  return async (command) => {
    try {
      const child = start(command, path)
      const limit = command.outputLimitBytes ?? 64 * 1024
      const stdout = keepEnd(child.stdout, limit)
      const stderr = keepEnd(child.stderr, limit)
      const deadlineMs = (command.deadlineSeconds ?? 60) * 1000
      const code = await endOf(child, { deadlineMs, graceMs, stop: command.stop })
      const cut = stdout.cut() || stderr.cut()
      return { code, stdout: stdout.text(), stderr: stderr.text(), ...(cut ? { cut } : {}) }
    } catch (error) {
      return notStarted(error, command)
    }
  }
}

/** `apt-get exited with 100`, `docker was killed by SIGKILL`, `systemctl did not end within its time`. */
export function endText(command: Command, result: CommandResult): string {
  const program = command.args[0] ?? ''
  if (result.code === 'deadline') return `${program} did not end within ${command.deadlineSeconds ?? 60} s`
  if (typeof result.code === 'object') return `${program} was killed by ${result.code.signal}`
  return result.code === 127 ? `${program} is not installed` : `${program} exited with ${result.code}`
}

const firstKept = 4
const lastKept = 12
const lineKept = 200

/**
 * What a failed command said, as part of a problem: all of it where that is short, else its first and last lines - a program may name the
 * cause before or after a long listing - and how many are left out between them.
 */
export function outputText({ stdout, stderr, cut }: Pick<CommandResult, 'stdout' | 'stderr' | 'cut'>): string {
  const parts = [stdout, stderr].map((text) => text.trim()).filter((text) => text !== '')
  const lines = parts.flatMap((text) => text.split('\n')).map(shortLine)
  if (cut === true) return ['... what came before is left out', ...lines.slice(-lastKept)].join('\n')
  const left = lines.length - firstKept - lastKept
  if (left <= 1) return lines.join('\n')
  return [...lines.slice(0, firstKept), `... ${left} lines left out`, ...lines.slice(-lastKept)].join('\n')
}

function shortLine(line: string): string {
  return line.length <= lineKept ? line : `${line.slice(0, lineKept)} ... ${line.length - lineKept} characters left out`
}

export function lastLines({ stderr }: Pick<CommandResult, 'stderr'>, count: number): string {
  return stderr.trim().split('\n').slice(-count).join('\n')
}

/** The command's own words, or how it ended; both when it was ended, since its words do not know of that. */
export function whyText(command: Command, result: CommandResult, words: string): string {
  if (words === '') return endText(command, result)
  return result.code === 'deadline' ? `${endText(command, result)}: ${words}` : words
}

function start(command: Command, path: string): ChildProcess {
  const [program = '', ...args] = command.args
  const child = startChild(program, args, {
    detached: true,
    stdio: [command.stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe', ...(command.files ?? [])],
    environment: { ...command.environment, PATH: path },
    ...(command.user === undefined ? {} : { user: command.user }),
  })
  if (command.stdin !== undefined) {
    // A child that does not read its stdin closes it: EPIPE says nothing that its exit code does not.
    child.stdin?.on('error', () => {})
    child.stdin?.end(command.stdin)
  }
  return child
}

type End = { readonly text: () => string; readonly cut: () => boolean }

function keepEnd(stream: Readable | null, limitBytes: number): End {
  const chunks: Buffer[] = []
  let kept = 0
  let cut = false
  // What was read until then is the output; how the command ended is in its exit code.
  stream?.on('error', () => {})
  stream?.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    kept += chunk.length
    while (kept - (chunks[0]?.length ?? 0) >= limitBytes) {
      kept -= chunks.shift()?.length ?? 0
      cut = true
    }
  })
  const bytes = () => Buffer.concat(chunks)
  return {
    text: () => (kept > limitBytes ? wholeCharacters(bytes().subarray(kept - limitBytes)) : bytes()).toString('utf8'),
    cut: () => cut || kept > limitBytes,
  }
}

function wholeCharacters(bytes: Buffer): Buffer {
  const first = bytes.findIndex((byte) => (byte & 0xc0) !== 0x80)
  return first > 0 && first < 4 ? bytes.subarray(first) : bytes
}

type Limits = { readonly deadlineMs: number; readonly graceMs: number; readonly stop: AbortSignal | undefined }

async function endOf(child: ChildProcess, limits: Limits): Promise<CommandResult['code']> {
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const exited = new Promise<CommandResult['code']>((resolve, reject) => {
    child.on('error', reject)
    child.once('exit', (code, signal) => resolve(code ?? { signal: signal ?? 'SIGKILL' }))
  })
  const timer = new AbortController()
  const signal = limits.stop === undefined ? timer.signal : AbortSignal.any([timer.signal, limits.stop])
  const overdue = sleep(limits.deadlineMs, 'deadline' as const, { signal }).catch(() => 'deadline' as const)
  const code = await Promise.race([exited, overdue]).finally(() => timer.abort())
  if (code === 'deadline') await killGroup(child.pid, limits.graceMs)
  await drained(child, closed)
  return code
}

/** The whole group, also when its leader is gone and a grandchild ignores SIGTERM. */
async function killGroup(pid: number | undefined, graceMs: number): Promise<void> {
  if (pid === undefined) return
  signalGroup(pid, 'SIGTERM')
  if (await groupEnded(pid, graceMs)) return
  signalGroup(pid, 'SIGKILL')
  // A process in uninterruptible sleep (dead NFS, failing disk) outlives SIGKILL: it is left behind rather than waited for.
  await groupEnded(pid, 500)
}

async function groupEnded(pid: number, withinMs: number): Promise<boolean> {
  const end = performance.now() + withinMs
  while (signalGroup(pid, 0)) {
    if (performance.now() >= end) return false
    await sleep(20)
  }
  return true
}

/** False when the group has no member left. */
function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-pid, signal)
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

/** After the exit, what is still in the pipes; they may never close, since a daemon the command left behind can hold them. */
async function drained(child: ChildProcess, closed: Promise<void>): Promise<void> {
  const streams = [child.stdout, child.stderr].filter((stream) => stream !== null)
  let heard = true
  for (const stream of streams)
    stream.on('data', () => {
      heard = true
    })
  const end = performance.now() + 1000
  let open = true
  while (open && heard && performance.now() < end) {
    heard = false
    const timer = new AbortController()
    // The turn after it: in a process that was busy for longer the time is over before what waits in the pipes was looked at.
    const quiet = sleep(100, true, timer).then(
      () => nextTurn(true),
      () => true,
    )
    open = await Promise.race([closed.then(() => false), quiet]).finally(() => timer.abort())
  }
  child.stdin?.destroy()
  for (const stream of streams) stream.destroy()
  child.unref()
}

function notStarted(error: unknown, command: Command): CommandResult {
  const errno = error instanceof Error && 'code' in error ? error.code : undefined
  const program = command.args[0] ?? ''
  if (errno === 'ENOENT') return { code: 127, stdout: '', stderr: `${program}: not installed` }
  return { code: 126, stdout: '', stderr: `${program}: ${error instanceof Error ? error.message : String(error)}` }
}
