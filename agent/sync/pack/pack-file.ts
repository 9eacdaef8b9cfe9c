// A pack on disk, read by windows: the header of an object has its size before a byte of it is inflated, and inflating
// stops there. Never the whole pack in memory.

import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { createInflate, type Inflate, inflateSync } from 'node:zlib'
import { errnoOf } from '../../../shared/errno.ts'
import { deltaHeaderBytes, deltaSizes } from './delta.ts'
import { PackMalformed } from './limits.ts'

export type ObjectType = 'commit' | 'tree' | 'blob' | 'tag'

export type PackEntry = {
  readonly offset: number
  readonly type: ObjectType | 'delta'
  /** Inflated; of a delta, its instructions. */
  readonly size: number
  /** Of a delta: where its base is in this pack, or which object it is. */
  readonly base: number | string | undefined
  /** Where the deflated bytes begin. */
  readonly data: number
}

export type Inflated = { readonly bytes: Buffer; readonly end: number }

export const windowBytes = 128 * 1024
/** Inflated in one call; larger ones go by chunks. */
const smallBytes = 64 * 1024
/** Chunks lie outside of V8's heap: it would let 64 MiB of them pile up before it collects. */
const garbageBytes = 8 * 1024 * 1024
const headerBytes = 12
const trailerBytes = 20
/** The first byte and the size, then the offset or the id of a base. */
const entryHeaderBytes = 32

export class PackFile {
  readonly path: string
  readonly size: number
  readonly objects: number
  readonly #descriptor: number
  readonly #held = Buffer.allocUnsafe(windowBytes)
  #window: Buffer = this.#held.subarray(0, 0)
  #windowStart = 0

  /** Throws `PackMalformed`, or the errno of opening it. */
  constructor(path: string) {
    this.path = path
    this.#descriptor = openSync(path, 'r')
    try {
      this.size = fstatSync(this.#descriptor).size
      if (this.size < headerBytes + trailerBytes) throw new PackMalformed('it is shorter than its own header')
      const header = this.bytes(0, headerBytes)
      if (header.toString('latin1', 0, 4) !== 'PACK') throw new PackMalformed('it does not begin as a pack does')
      const version = header.readUInt32BE(4)
      if (version !== 2 && version !== 3) throw new PackMalformed(`it is of version ${version}`)
      this.objects = header.readUInt32BE(8)
    } catch (error) {
      this.close()
      throw error
    }
  }

  close(): void {
    closeSync(this.#descriptor)
  }

  /** The first object is here, each next one where the one before it ends. */
  readonly first = headerBytes

  get end(): number {
    return this.size - trailerBytes
  }

  /** As many as there are, at most a window's. The result is valid until the next call. */
  bytes(offset: number, length: number): Buffer {
    const start = offset - this.#windowStart
    if (start >= 0 && start + length <= this.#window.length) return this.#window.subarray(start, start + length)
    let filled = 0
    while (filled < windowBytes) {
      const read = readSync(this.#descriptor, this.#held, filled, windowBytes - filled, offset + filled)
      if (read === 0) break
      filled += read
    }
    this.#window = this.#held.subarray(0, filled)
    this.#windowStart = offset
    return this.#window.subarray(0, length)
  }

  entryAt(offset: number): PackEntry {
    if (offset < headerBytes || offset >= this.end) throw new PackMalformed('an object lies outside of the pack')
    const bytes = this.bytes(offset, entryHeaderBytes)
    const first = bytes[0] ?? 0
    let size = first & 0x0f
    let at = 1
    for (let byte = first, scale = 16; (byte & 0x80) !== 0; at += 1, scale *= 128) {
      byte = bytes[at] ?? 0
      size += (byte & 0x7f) * scale
      if (at > 8) throw new PackMalformed('the size of an object cannot be read')
    }
    const kind = (first >> 4) & 7
    const type = types[kind]
    if (type === undefined) throw new PackMalformed(`there is no object of type ${kind}`)
    if (type !== 'delta') return { offset, type, size, base: undefined, data: offset + at }
    if (kind === 7) {
      const base = bytes.toString('hex', at, at + 20)
      return { offset, type, size, base, data: offset + at + 20 }
    }
    const { distance, next } = distanceAt(bytes, at)
    if (distance <= 0 || distance > offset - headerBytes)
      throw new PackMalformed('a delta has its base outside of the pack')
    return { offset, type, size, base: offset - distance, data: offset + next }
  }

  /** All of an entry, whose size the caller has judged. */
  async inflated(entry: PackEntry): Promise<Inflated> {
    const small = entry.size <= smallBytes ? this.#inflatedAtOnce(entry) : undefined
    if (small !== undefined) return small
    const bytes = Buffer.allocUnsafe(entry.size)
    let filled = 0
    const end = await this.inflateInto(entry, (chunk) => {
      chunk.copy(bytes, filled)
      filled += chunk.length
    })
    return { bytes, end }
  }

  /** By chunks, for a content that need not be whole in memory; resolves to where its deflated bytes end. */
  async inflateInto(entry: PackEntry, take: (chunk: Buffer) => void): Promise<number> {
    const small = entry.size <= smallBytes ? this.#inflatedAtOnce(entry) : undefined
    if (small !== undefined) {
      take(small.bytes)
      return small.end
    }
    let size = 0
    const inflate = createInflate({ chunkSize: windowBytes })
    try {
      await this.#pumped(inflate, entry.data, (chunk) => {
        size += chunk.length
        if (size > entry.size) throw new PackMalformed('an object is larger than it says')
        take(chunk)
      })
      if (size !== entry.size) throw new PackMalformed('an object is smaller than it says')
      return entry.data + inflate.bytesWritten
    } finally {
      inflate.destroy()
    }
  }

  /** What a delta makes, by its own beginning; little more than that is inflated. */
  async deltaResultSize(entry: PackEntry): Promise<number> {
    const deflated = this.bytes(entry.data, Math.min(this.end - entry.data, 512))
    const start = inflatedStart(deflated)
    const enough = start.length >= Math.min(entry.size, deltaHeaderBytes)
    return deltaSizes(enough ? start : (await this.inflated(entry)).bytes).result
  }

  /** Undefined when its deflated bytes exceed what such an object takes, or are damaged, which the chunked path reports. */
  #inflatedAtOnce(entry: PackEntry): Inflated | undefined {
    const most = entry.size + (entry.size >> 6) + 512
    const deflated = this.bytes(entry.data, Math.min(this.end - entry.data, most))
    try {
      const { buffer, engine } = inflateWithInfo(deflated, Math.max(entry.size, 1))
      if (buffer.length !== entry.size) throw new PackMalformed('an object is smaller than it says')
      return { bytes: buffer, end: entry.data + engine.bytesWritten }
    } catch (error) {
      if (errnoOf(error) === 'ERR_BUFFER_TOO_LARGE') throw new PackMalformed('an object is larger than it says')
      if (errnoOf(error) === 'Z_BUF_ERROR' && deflated.length < this.end - entry.data) return undefined
      throw errnoOf(error)?.startsWith('Z_') === true ? damaged() : error
    }
  }

  #pumped(inflate: Inflate, from: number, take: (chunk: Buffer) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      let at = from
      let garbage = 0
      inflate.on('data', (chunk: Buffer) => {
        garbage += chunk.length
        if (garbage > garbageBytes) {
          garbage = 0
          globalThis.gc?.({ type: 'minor', execution: 'sync' })
        }
        try {
          take(chunk)
        } catch (error) {
          inflate.destroy()
          reject(error)
        }
      })
      inflate.once('end', resolve)
      inflate.on('error', () => reject(damaged()))
      const more = () => {
        if (inflate.readableEnded || inflate.destroyed) return
        const length = Math.min(windowBytes, this.end - at)
        if (length <= 0) return void inflate.end()
        // Copied: the window moves on before the chunk is worked off.
        const chunk = Buffer.from(this.bytes(at, length))
        at += length
        inflate.write(chunk, () => more())
      }
      more()
    })
  }
}

const types: Readonly<Record<number, ObjectType | 'delta'>> = {
  1: 'commit',
  2: 'tree',
  3: 'blob',
  4: 'tag',
  6: 'delta',
  7: 'delta',
}

/** 2 is Z_SYNC_FLUSH: what there is comes out, though it does not end. */
function inflatedStart(deflated: Buffer): Buffer {
  try {
    return inflateSync(deflated, { finishFlush: 2, chunkSize: 1024 })
  } catch {
    throw damaged()
  }
}

/** The typings do not know `info`. */
function inflateWithInfo(
  deflated: Buffer,
  maxOutputLength: number,
): { readonly buffer: Buffer; readonly engine: { readonly bytesWritten: number } } {
  const result: unknown = inflateSync(deflated, { info: true, maxOutputLength, chunkSize: maxOutputLength + 64 })
  return result as ReturnType<typeof inflateWithInfo>
}

function distanceAt(bytes: Buffer, from: number): { readonly distance: number; readonly next: number } {
  let at = from
  let byte = bytes[at++] ?? 0
  let distance = byte & 0x7f
  while ((byte & 0x80) !== 0) {
    byte = bytes[at++] ?? 0
    distance = (distance + 1) * 128 + (byte & 0x7f)
    if (at - from > 8) throw new PackMalformed('the base of a delta cannot be read')
  }
  return { distance, next: at }
}

function damaged(): PackMalformed {
  return new PackMalformed('an object cannot be inflated')
}
