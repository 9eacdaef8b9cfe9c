// The end of a file, whatever stands in its place: never a link's target, a pipe that blocks, or more than the limit.
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { errnoOf } from '../../shared/errno.ts'
import { type Found, leftOut } from './part.ts'

export type FileLimits = {
  /** Of a longer file the end. */
  readonly limitBytes: number
  /** What would take more is left out, and not read. */
  readonly roomBytes?: number
}

/** Never throws. */
export async function fileEnd(path: string, name: string, limits: FileLimits): Promise<Found> {
  try {
    return await readEnd(path, name, limits)
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'ENOENT') return leftOut(name, 'absent')
    return leftOut(name, 'unreadable', errno === 'ELOOP' ? 'it is a symlink' : (errno ?? String(error)))
  }
}

async function readEnd(path: string, name: string, { limitBytes, roomBytes }: FileLimits): Promise<Found> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const stat = await file.stat()
    if (!stat.isFile()) return leftOut(name, 'unreadable', 'it is not a plain file')
    if (roomBytes !== undefined && Math.min(stat.size, limitBytes) > roomBytes) return leftOut(name, 'size')
    const from = Math.max(0, stat.size - limitBytes)
    const buffer = Buffer.alloc(Math.min(stat.size, limitBytes))
    const { bytesRead } = await file.read(buffer, 0, buffer.length, from)
    return { kind: 'part', name, text: buffer.subarray(0, bytesRead).toString('utf8'), isCut: from > 0 }
  } finally {
    await file.close()
  }
}
