// Packs made by hand, for what no git would write: sizes that lie, deltas of deltas without end.
import { createHash } from 'node:crypto'
import { deflateSync } from 'node:zlib'

export type MadeObject = {
  readonly type: 'commit' | 'tree' | 'blob' | 'tag' | 'delta'
  readonly content: Uint8Array
  /** Of a delta: how many objects before it its base stands. */
  readonly back?: number
  /** Instead of the true one. */
  readonly says?: number
}

const codes = { commit: 1, tree: 2, blob: 3, tag: 4, delta: 6 } as const

/** `says`: how many objects the header announces. */
export function madePack(objects: readonly MadeObject[], says = objects.length): Buffer {
  const header = Buffer.from('PACK\0\0\0\x02\0\0\0\0', 'latin1')
  header.writeUInt32BE(says, 8)
  const parts: Buffer[] = [header]
  const offsets: number[] = []
  let offset = header.length
  for (const [index, { type, content, back = 1, says: size = content.length }] of objects.entries()) {
    const base = type === 'delta' ? distance(offset - (offsets[index - back] ?? 0)) : Buffer.alloc(0)
    const part = Buffer.concat([entryHeader(codes[type], size), base, deflateSync(content)])
    offsets.push(offset)
    offset += part.length
    parts.push(part)
  }
  const body = Buffer.concat(parts)
  return Buffer.concat([body, createHash('sha1').update(body).digest()])
}

/** A delta that repeats the first `length` bytes of its base, again and again, up to `result`. */
export function repeating(base: number, result: number): Buffer {
  const parts = [sizeBytes(base), sizeBytes(result)]
  const step = Math.min(base, 0xffffff)
  for (let made = 0; made < result; made += step) {
    const length = Math.min(step, result - made)
    parts.push(Buffer.from([0xf0, length & 0xff, (length >> 8) & 0xff, (length >> 16) & 0xff]))
  }
  return Buffer.concat(parts)
}

function entryHeader(code: number, size: number): Buffer {
  const bytes = [(code << 4) | (size & 0x0f)]
  for (let rest = Math.floor(size / 16); rest > 0; rest = Math.floor(rest / 128)) {
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) | 0x80
    bytes.push(rest % 128)
  }
  return Buffer.from(bytes)
}

function distance(value: number): Buffer {
  const bytes = [value & 0x7f]
  for (let rest = value >> 7; rest > 0; rest >>= 7) {
    rest -= 1
    bytes.unshift((rest & 0x7f) | 0x80)
  }
  return Buffer.from(bytes)
}

function sizeBytes(size: number): Buffer {
  const bytes: number[] = []
  for (let rest = size; bytes.length === 0 || rest > 0; rest = Math.floor(rest / 128)) {
    if (bytes.length > 0) bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) | 0x80
    bytes.push(rest % 128)
  }
  return Buffer.from(bytes)
}
