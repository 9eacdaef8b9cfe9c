// Every directory below an open one, however deep: few descriptors are held and no stack grows with the depth.
import { closeSync, constants, fstatSync, openSync, readdirSync } from 'node:fs'
import { errnoOf } from '../../shared/errno.ts'
import { fileError } from '../../shared/file-error.ts'
import { below } from './files-write.ts'
import { changedMeanwhile } from './files-writing.ts'
import { eventLoopYield } from './yield-loop.ts'

const treeFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW | constants.O_NONBLOCK
/** Directories held open besides the first. Those further up are opened again from below, by `..`. */
const openLimit = 100

export type Descent<T> = {
  /** What `enter` gets for names in this directory. Undefined: it is not entered. */
  enter(at: Buffer, name: Buffer, inside: T): Promise<T | undefined>
  /** Of a directory that was entered, after everything in it. */
  leave?(at: Buffer): void
  /** Where an error of a directory is, for people. */
  shown(inside: T): string
}

type Frame<T> = {
  fd: number
  isOpen: boolean
  readonly inode: number
  readonly device: number
  readonly name: Buffer
  readonly inside: T
  readonly names: readonly Buffer[]
  next: number
}

/** Sorted by name. By descriptors: an owner can still move what is in it. Follows no link. */
export async function descend<T>(top: number, inside: T, descent: Descent<T>): Promise<void> {
  const rest = eventLoopYield()
  const frames = [frameOf(top, Buffer.alloc(0), inside)]
  try {
    for (let frame = frames.at(-1); frame !== undefined; frame = frames.at(-1)) {
      await rest()
      const name = frame.names[frame.next]
      frame.next += 1
      if (name === undefined) leave(frames, descent)
      else await enter(frames, name, { frame, descent })
    }
  } finally {
    for (const frame of frames.slice(1)) close(frame)
  }
}

async function enter<T>(
  frames: Frame<T>[],
  name: Buffer,
  { frame, descent }: { readonly frame: Frame<T>; readonly descent: Descent<T> },
): Promise<void> {
  const at = below(frame.fd, name)
  const inside = await descent.enter(at, name, frame.inside)
  if (inside === undefined) return
  const fd = openDirectory(at, descent.shown(inside))
  if (fd === undefined) return
  try {
    frames.push(frameOf(fd, name, inside))
  } catch (error) {
    closeSync(fd)
    throw fileError(error, descent.shown(inside), 'reading')
  }
  const far = frames.length > openLimit ? frames[frames.length - openLimit] : undefined
  if (far !== undefined && far !== frames[0]) close(far)
}

function leave<T>(frames: Frame<T>[], descent: Descent<T>): void {
  const left = frames.pop()
  const parent = frames.at(-1)
  if (left === undefined || parent === undefined) return
  try {
    if (!parent.isOpen) reopen(parent, left.fd, descent)
  } finally {
    close(left)
  }
  descent.leave?.(below(parent.fd, left.name))
}

/** What was left may have been moved since: then `..` is another directory. */
function reopen<T>(frame: Frame<T>, child: number, descent: Descent<T>): void {
  frame.fd = openSync(`/proc/self/fd/${child}/..`, treeFlags)
  frame.isOpen = true
  const { ino, dev } = fstatSync(frame.fd)
  if (ino !== frame.inode || dev !== frame.device) throw changedMeanwhile(descent.shown(frame.inside))
}

function frameOf<T>(fd: number, name: Buffer, inside: T): Frame<T> {
  const { ino, dev } = fstatSync(fd)
  const names = readdirSync(`/proc/self/fd/${fd}/.`, { encoding: 'buffer' }).toSorted(Buffer.compare)
  return { fd, isOpen: true, inode: ino, device: dev, name, inside, names, next: 0 }
}

/** Undefined: it was moved or exchanged meanwhile. */
export function openDirectory(at: Buffer, shown: string): number | undefined {
  try {
    return openSync(at, treeFlags)
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(errnoOf(error) ?? '')) return undefined
    throw fileError(error, shown, 'reading')
  }
}

function close<T>(frame: Frame<T>): void {
  if (frame.isOpen) closeSync(frame.fd)
  frame.isOpen = false
}
