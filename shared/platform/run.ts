// Starts child processes: argument arrays, a deadline, a process group that is killed whole, bounded output, a minimal environment.
import type { ChildProcess } from 'node:child_process'
import type { Readable } from 'node:stream'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import type { Command, CommandResult, Run } from '../command.ts'
import { searchPath, startChild } from './child.ts'

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
