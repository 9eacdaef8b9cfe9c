// The only process runner: argument arrays, a deadline, a process group that is killed whole, bounded output, a closed environment.

import type { ChildProcess } from 'node:child_process'
import type { Readable } from 'node:stream'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import type { Command, CommandResult, Run } from '../command.ts'
import { compact } from '../compact.ts'
import { errnoOf } from '../errno.ts'
import { minimalEnvironment, searchPath, signalGroup, startChild } from './child.ts'
import { guarded } from './guarded.ts'

export type RunOptions = {
  /** Directories searched for programs. */
  readonly path?: string
  /** Between SIGTERM and SIGKILL, default 5. */
  readonly graceSeconds?: number
}

export type RunBytesOptions = RunOptions & {
  /** What a command's own environment is added to. Default: `minimalEnvironment`. */
  readonly environment?: Readonly<Record<string, string>>
  /** Of more standard output than the limit. Default: its end is kept. */
  readonly overflow?: 'keep-end' | 'kill'
}

export type BytesResult = {
  /** As of `CommandResult`; `too-much`: killed for its output. */
  readonly code: CommandResult['code'] | 'too-much'
  readonly stdout: Buffer
  readonly stderr: Buffer
  /** Output was longer than the limit: its beginning is missing. */
  readonly cut: boolean
}

const defaultOutputLimitBytes = 64 * 1024

/** The returned function never rejects: whatever becomes of a command is in its result. */
export function createRun(options: RunOptions = {}): Run {
  const run = createRunBytes(options)
  return async (command) => {
    const { code, stdout, stderr, cut } = await run(command)
    const texts = { stdout: stdout.toString('utf8'), stderr: stderr.toString('utf8'), ...(cut ? { cut } : {}) }
    // `too-much` needs `overflow: 'kill'`.
    return { ...texts, code: code === 'too-much' ? 'deadline' : code }
  }
}

/** As `createRun`, for output that is not text, or of no use in part. */
export function createRunBytes(options: RunBytesOptions = {}): (command: Command) => Promise<BytesResult> {
  const graceMs = (options.graceSeconds ?? 5) * 1000
  return async (command) => {
    try {
      const child = start(command, options)
      const limit = command.outputLimitBytes ?? defaultOutputLimitBytes
      const tooMuch = Promise.withResolvers<'too-much'>()
      const kill = options.overflow === 'kill' ? () => tooMuch.resolve('too-much') : undefined
      const stdout = collect(child.stdout, limit, kill)
      const stderr = collect(child.stderr, kill === undefined ? limit : defaultOutputLimitBytes)
      const deadlineMs = (command.deadlineSeconds ?? 60) * 1000
      const code = await endOf(child, { deadlineMs, graceMs, stop: command.stop, tooMuch: tooMuch.promise })
      return { code, stdout: stdout.bytes(), stderr: stderr.bytes(), cut: stdout.cut() || stderr.cut() }
    } catch (error) {
      return notStarted(error, command)
    }
  }
}

function start(
  command: Command,
  { path = searchPath, environment = minimalEnvironment }: RunBytesOptions,
): ChildProcess {
  const [program = '', ...args] = command.args
  const child = startChild(program, args, {
    detached: true,
    stdio: [command.stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe', ...(command.files ?? [])],
    environment: { ...environment, ...command.environment, PATH: path },
    ...compact({ user: command.user }),
  })
  child.stdin?.end(command.stdin)
  return child
}

type Collected = { readonly bytes: () => Buffer; readonly cut: () => boolean }

/** Keeps the end, which is where most programs say what went wrong; with `overflow` it is for the caller to end the child instead. */
function collect(stream: Readable | null, limitBytes: number, overflow?: () => void): Collected {
  const chunks: Buffer[] = []
  let kept = 0
  let cut = false
  const take = (chunk: Buffer) => {
    if (cut && overflow !== undefined) return
    chunks.push(chunk)
    kept += chunk.length
    if (kept <= limitBytes) return
    if (overflow !== undefined) {
      cut = true
      return overflow()
    }
    while (kept - (chunks[0]?.length ?? 0) >= limitBytes) {
      kept -= chunks.shift()?.length ?? 0
      cut = true
    }
  }
  stream?.on(
    'data',
    guarded(take, () => stream.destroy()),
  )
  const all = () => Buffer.concat(chunks)
  return {
    bytes: () => (kept > limitBytes ? wholeCharacters(all().subarray(kept - limitBytes)) : all()),
    cut: () => cut || kept > limitBytes,
  }
}

function wholeCharacters(bytes: Buffer): Buffer {
  const first = bytes.findIndex((byte) => (byte & 0xc0) !== 0x80)
  return first > 0 && first < 4 ? bytes.subarray(first) : bytes
}

type Limits = {
  readonly deadlineMs: number
  readonly graceMs: number
  readonly stop: AbortSignal | undefined
  readonly tooMuch: Promise<'too-much'>
}

async function endOf(child: ChildProcess, limits: Limits): Promise<BytesResult['code']> {
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const exited = new Promise<CommandResult['code']>((resolve, reject) => {
    child.once('error', guarded(reject, reject))
    child.once('exit', (code, signal) => resolve(code ?? { signal: signal ?? 'SIGKILL' }))
  })
  const timer = new AbortController()
  const signal = limits.stop === undefined ? timer.signal : AbortSignal.any([timer.signal, limits.stop])
  const overdue = sleep(limits.deadlineMs, 'deadline' as const, { signal }).catch(() => 'deadline' as const)
  const code = await Promise.race([exited, overdue, limits.tooMuch]).finally(() => timer.abort())
  if (code === 'deadline' || code === 'too-much') await killGroup(child, limits.graceMs)
  await drained(child, closed)
  return code
}

/** The whole group, also when its leader is gone and a grandchild ignores SIGTERM. */
async function killGroup(child: ChildProcess, graceMs: number): Promise<void> {
  if (!signalGroup(child, 'SIGTERM') || (await groupEnded(child, graceMs))) return
  signalGroup(child, 'SIGKILL')
  // A process in uninterruptible sleep (dead NFS, failing disk) outlives SIGKILL: it is left behind rather than waited for.
  await groupEnded(child, 500)
}

async function groupEnded(child: ChildProcess, withinMs: number): Promise<boolean> {
  const end = performance.now() + withinMs
  while (signalGroup(child, 0)) {
    if (performance.now() >= end) return false
    await sleep(20)
  }
  return true
}

/** After the exit, what is still in the pipes; they may never close, since a daemon the command left behind can hold them. */
async function drained(child: ChildProcess, closed: Promise<void>): Promise<void> {
  const streams = [child.stdout, child.stderr].filter((stream) => stream !== null)
  let heard = true
  const hear = () => {
    heard = true
  }
  for (const stream of streams)
    stream.on(
      'data',
      guarded(hear, () => stream.destroy()),
    )
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

function notStarted(error: unknown, command: Command): BytesResult {
  const program = command.args[0] ?? ''
  const isMissing = errnoOf(error) === 'ENOENT'
  const why = isMissing ? 'not installed' : error instanceof Error ? error.message : String(error)
  const said = { stdout: Buffer.alloc(0), stderr: Buffer.from(`${program}: ${why}`), cut: false }
  return { ...said, code: isMissing ? 127 : 126 }
}
