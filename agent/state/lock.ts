// One apply at a time per state directory. The lock of a dead holder (killed, power cut, earlier boot) is void.
import { closeSync, linkSync, openSync, readdirSync, readFileSync, statSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { errnoOf } from '../../shared/errno.ts'
import { fileError } from '../../shared/file-error.ts'
import { makeStateDirectory, removeIfThere } from '../../shared/platform/durable.ts'
import { PlumbError } from '../../shared/problem.ts'
import { absoluteTime } from '../../shared/time-text.js'
import { bootId } from '../host/boot.ts'

const holderSchema = z.object({
  pid: z.number().int(),
  /** Clock ticks since boot, from /proc: distinguishes a process from a later one with the same pid. */
  started: z.string(),
  boot: z.string(),
  /** What the holder is doing, for messages: `plumb apply`. */
  purpose: z.string(),
  at: z.string(),
  released: z.boolean(),
})

type Holder = z.infer<typeof holderSchema>

/** Proof that this process may change the host; given to `applyPlan` and `recover`. */
export type Lock = { readonly purpose: string; release(): void }

export type LockOptions = {
  readonly purpose: string
  readonly now: Date
  /** How long to wait for the present holder; default 0. */
  readonly waitSeconds?: number
  /** Aborting ends the wait. */
  readonly stop?: AbortSignal | undefined
  /** Called once with the holder when the wait takes longer than a check. */
  readonly onWait?: (text: string) => void
}

/**
 * The file with the highest number in the directory says who holds the lock. To take it over from a dead or released
 * holder is to create the next number, which only one can; the highest is never deleted, so no process can mistake an
 * old number for a free lock.
 */
export async function acquireLock(directory: string, options: LockOptions): Promise<Lock> {
  makeStateDirectory(directory)
  const since = performance.now()
  const giveUpAt = since + (options.waitSeconds ?? 0) * 1000
  let isTold = options.onWait === undefined
  for (;;) {
    const taken = attempt(directory, options)
    if (typeof taken === 'string') return { purpose: options.purpose, release: () => release(taken) }
    if (performance.now() >= giveUpAt || options.stop?.aborted === true) throw locked(directory, taken)
    if (!isTold && performance.now() - since > quietWaitMs) {
      options.onWait?.(`waits: ${underWay(taken)}`)
      isTold = true
    }
    await sleep(100)
  }
}

const quietWaitMs = 1000

/** The path of the acquired lock, or its holder. */
function attempt(directory: string, options: LockOptions): string | Holder {
  const mine = join(directory, `${process.pid}.mine`)
  try {
    for (;;) {
      const highest = numbersIn(directory).at(-1)
      const holder = highest === undefined ? undefined : holderAt(join(directory, String(highest)))
      if (holder !== undefined && isHolding(holder)) return holder
      const number = (highest ?? 0) + 1
      const path = join(directory, String(number))
      if (!createWhole({ path, mine, holder: holderOf(options) })) continue
      const higher = numbersIn(directory).some((other) => other > number)
      if (higher) removeIfThere(path)
      else {
        for (const lower of numbersIn(directory)) if (lower < number) removeIfThere(join(directory, String(lower)))
        return path
      }
    }
  } catch (error) {
    throw fileError(error, directory, 'writing')
  } finally {
    removeIfThere(mine)
  }
}

/** By link, so that the file is complete as soon as its name exists. False when another process was first. */
function createWhole({
  path,
  mine,
  holder,
}: {
  readonly path: string
  readonly mine: string
  readonly holder: Holder
}) {
  writeFileSync(mine, JSON.stringify(holder), { mode: 0o600 })
  try {
    linkSync(mine, path)
    return true
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false
    throw error
  }
}

/** Writes in place without growing the file, so that it works on a full disk too. */
function release(path: string): void {
  const holder = holderAt(path)
  if (holder === undefined) return
  const length = statSync(path).size
  const fd = openSync(path, 'r+')
  try {
    writeSync(fd, JSON.stringify({ ...holder, released: true }).padEnd(length))
  } finally {
    closeSync(fd)
  }
}

function numbersIn(directory: string): readonly number[] {
  return readdirSync(directory)
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .sort((one, other) => one - other)
}

/** Undefined when it cannot be read: no holder is known. */
function holderAt(path: string): Holder | undefined {
  try {
    return holderSchema.parse(JSON.parse(readFileSync(path, 'utf8')))
  } catch {
    return undefined
  }
}

function isHolding({ released, boot, pid, started }: Holder): boolean {
  return !released && boot === bootId() && started === startOf(pid)
}

function holderOf({ purpose, now }: LockOptions): Holder {
  const { pid } = process
  return { pid, started: startOf(pid) ?? '', boot: bootId(), purpose, at: now.toISOString(), released: false }
}

/** Field 22 of /proc/PID/stat; counted behind the last `)`, since a program's name may hold anything. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const [state, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return state === 'Z' ? undefined : rest[18]
  } catch {
    return undefined
  }
}

function underWay({ pid, purpose, at }: Holder): string {
  return `"${purpose}" is under way: process ${pid}, since ${absoluteTime(at)}.`
}

function locked(directory: string, holder: Holder): PlumbError {
  return new PlumbError({
    code: 'locked',
    message: underWay(holder),
    where: { file: directory },
    remedy: 'Wait until it has ended, or end it, then try again.',
  })
}
