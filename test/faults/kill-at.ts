// Preloaded before an agent (`node --require`, `--import`): counts what the process does to its host, and kills it at
// operation number PLUMB_KILL_AT in the way of PLUMB_KILL_HOW. Pauses between two looks take no time, as seen from inside.
// (PLUMB_PAUSES=kept: they do). PLUMB_CLOCK_DAYS sets its clock off.
import childProcess, { ChildProcess } from 'node:child_process'
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import timers from 'node:timers/promises'
import { operationsHere } from './operations.ts'

type Call = (...given: readonly unknown[]) => unknown

const killAt = Number(process.env['PLUMB_KILL_AT'] ?? 0)
const how = process.env['PLUMB_KILL_HOW'] ?? 'before'
/** What is broken on purpose - `journal`, `kept`, `forget` -, so that the suite can be seen to find it. */
const broken = process.env['PLUMB_BREAK'] ?? ''
const keepsPauses = process.env['PLUMB_PAUSES'] === 'kept'
const { readlinkSync, writeSync } = fs
const done = operationsHere()
const children = new Set<ChildProcess>()

const onOnePath = [
  'chmodSync',
  'chownSync',
  'lchownSync',
  'truncateSync',
  'utimesSync',
  'lutimesSync',
  'appendFileSync',
]
const onNames = ['unlinkSync', 'mkdirSync', 'mkdtempSync', 'rmdirSync', 'rmSync']
const onTwoPaths = ['renameSync', 'linkSync', 'symlinkSync', 'copyFileSync', 'cpSync']
const onDescriptors = ['fsyncSync', 'fdatasyncSync', 'fchmodSync', 'fchownSync', 'ftruncateSync', 'futimesSync']

for (const name of [...onOnePath, ...onNames, ...onTwoPaths, ...onDescriptors])
  wrap(fs, name, (call, given) => {
    const where = whereOf(given[onTwoPaths.includes(name) ? 1 : 0])
    return isBroken(name, where) ? undefined : counting({ name, where }, () => call(...given))
  })
for (const name of ['fsync', 'fdatasync', 'write']) wrap(fs, name, (call, given) => countingAsync(name, call, given))
wrap(fs, 'openSync', (call, given) => {
  const isNew = typeof given[1] === 'number' ? (given[1] & fs.constants.O_CREAT) !== 0 : /[wax]/.test(String(given[1]))
  return isNew ? counting({ name: 'create', where: whereOf(given[0]) }, () => call(...given)) : call(...given)
})
wrap(fs, 'writeSync', (call, given) => {
  const [fd, bytes, offset] = given
  const where = whereOf(fd)
  const from = typeof offset === 'number' ? offset : 0
  const length = typeof bytes === 'string' || bytes instanceof Uint8Array ? bytes.length - from : 0
  if (isBroken('writeSync', where)) return length
  const torn = () => writeSync(Number(fd), Buffer.from(asBytes(bytes)), from, length >> 1)
  return counting({ name: 'writeSync', where }, () => call(...given), torn)
})
// Bytes are opened and written by the two above; text would be by one call of its own.
wrap(fs, 'writeFileSync', (call, [path, content, ...rest]) => call(path, asBytes(content), ...rest))
wrap(childProcess, 'spawn', (call, given) =>
  counting({ name: 'spawn', where: [given[0], ...(Array.isArray(given[1]) ? given[1] : [])].join(' ') }, () => {
    const child = call(...given)
    if (!(child instanceof ChildProcess)) throw new Error('spawn made no child')
    children.add(child)
    child.once('exit', () => children.delete(child))
    return child
  }),
)
shiftClock(Number(process.env['PLUMB_CLOCK_DAYS'] ?? 0))
let skippedMs = 0
const now = performance.now.bind(performance)
Reflect.set(performance, 'now', () => now() + skippedMs)
wrap(timers, 'setTimeout', (sleep, [ms, ...rest]) => {
  // Pauses between looks. Shorter ones wait for pipes to close, longer ones are deadlines.
  const isPause = !keepsPauses && typeof ms === 'number' && ms >= 300 && ms <= 5000
  if (isPause) skippedMs += ms
  return sleep(isPause ? 1 : ms, ...rest)
})
syncBuiltinESMExports()

function wrap(target: object, name: string, around: (call: Call, given: readonly unknown[]) => unknown): void {
  const inner: unknown = Reflect.get(target, name)
  if (typeof inner !== 'function') throw new Error(`there is no ${name} to wrap`)
  const call: Call = (...given) => Reflect.apply(inner, target, given)
  const outer = (...given: readonly unknown[]) => around(call, given)
  // What promisify(write) resolves to is said by a symbol of the function.
  for (const symbol of Object.getOwnPropertySymbols(inner)) Reflect.set(outer, symbol, Reflect.get(inner, symbol))
  Reflect.set(target, name, outer)
}

function counting(operation: { readonly name: string; readonly where: string }, call: () => unknown, torn = call) {
  if (done.push(operation) !== killAt) return call()
  if (how === 'before') die()
  const result = how === 'torn' ? torn() : call()
  // A program that is not installed has no pid, and so no process group to kill.
  if (how === 'together' && result instanceof ChildProcess && result.pid !== undefined)
    process.kill(-result.pid, 'SIGKILL')
  return die()
}

/** After it means: when it is done, and nobody was told yet. */
function countingAsync(name: string, call: Call, given: readonly unknown[]): unknown {
  const [fd, bytes, offset, length, ...rest] = given
  if (done.push({ name, where: whereOf(fd) }) !== killAt) return call(...given)
  if (how === 'before') die()
  const callback = () => die()
  if (name !== 'write') return call(fd, callback)
  return call(fd, bytes, offset, how === 'torn' ? Number(length) >> 1 : length, ...rest.slice(0, -1), callback)
}

/** Says which children live on, so that the suite can wait for their end. */
function die(): never {
  const left = [...children].map(({ pid }) => pid)
  writeSync(1, `${JSON.stringify({ killed: done.at(killAt - 1), left })}\n`)
  process.kill(process.pid, 'SIGKILL')
  for (;;);
}

/** The wall clock alone, as somebody sets it: files keep the times that the kernel gives them. */
function shiftClock(days: number): void {
  if (days === 0) return
  const Real = Date
  const shiftMs = days * 24 * 3600 * 1000
  class Shifted extends Real {
    constructor(...given: readonly [] | readonly [number | string | Date]) {
      super(given.length === 0 ? Real.now() + shiftMs : given[0])
    }
    static override now(): number {
      return Real.now() + shiftMs
    }
  }
  Reflect.set(globalThis, 'Date', Shifted)
}

function isBroken(name: string, where: string): boolean {
  if (broken === 'journal') return name === 'writeSync' && where.endsWith('/journal')
  if (broken === 'kept') return name === 'linkSync' && where.endsWith('~')
  return broken === 'forget' && name === 'unlinkSync' && where.endsWith('~')
}

function whereOf(given: unknown): string {
  const text = typeof given === 'number' ? `/proc/self/fd/${given}` : String(given)
  const [, fd, rest = ''] = /^\/proc\/self\/fd\/(\d+)(.*)$/s.exec(text) ?? []
  if (fd === undefined) return text
  try {
    return `${readlinkSync(`/proc/self/fd/${fd}`)}${rest}`
  } catch {
    return text
  }
}

function asBytes(content: unknown): Uint8Array {
  return content instanceof Uint8Array ? content : Buffer.from(String(content))
}
