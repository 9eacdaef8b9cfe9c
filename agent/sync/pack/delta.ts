// Deltas of packs: the sizes of base and result, then copies from the base and literal bytes.
import { PackMalformed } from './limits.ts'

export type DeltaSizes = { readonly base: number; readonly result: number; readonly headerLength: number }

/** Both sizes take at most this many bytes. */
export const deltaHeaderBytes = 20

export function deltaSizes(delta: Uint8Array): DeltaSizes {
  const base = sizeAt(delta, 0)
  const result = sizeAt(delta, base.next)
  return { base: base.value, result: result.value, headerLength: result.next }
}

/** Throws `PackMalformed` for a delta of another base, and for one that does not give what it announces. */
export function applyDelta(base: Uint8Array, delta: Uint8Array): Buffer {
  const result = Buffer.allocUnsafe(deltaSizes(delta).result)
  let written = 0
  deltaInto({ base, delta }, (part) => {
    result.set(part, written)
    written += part.length
  })
  return result
}

/** The same by parts, for a result that need not be whole in memory. Gives no more than was announced. */
export function deltaInto(
  { base, delta }: { readonly base: Uint8Array; readonly delta: Uint8Array },
  take: (part: Uint8Array) => void,
): void {
  const sizes = deltaSizes(delta)
  if (sizes.base !== base.length) throw new PackMalformed('a delta is for another base')
  let written = 0
  for (let at = sizes.headerLength; at < delta.length; ) {
    const { source, start, length, next } = instructionAt(delta, at)
    const from = source === 'base' ? base : delta
    if (start + length > from.length || written + length > sizes.result)
      throw new PackMalformed('a delta copies from beyond its base')
    take(from.subarray(start, start + length))
    written += length
    at = next
  }
  if (written !== sizes.result) throw new PackMalformed('a delta ends early')
}

type Instruction = {
  readonly source: 'base' | 'delta'
  readonly start: number
  readonly length: number
  readonly next: number
}

function instructionAt(delta: Uint8Array, at: number): Instruction {
  const opcode = delta[at] ?? 0
  if (opcode === 0) throw new PackMalformed('a delta has an instruction that does not exist')
  if ((opcode & 0x80) === 0) return { source: 'delta', start: at + 1, length: opcode, next: at + 1 + opcode }
  let next = at + 1
  const number = (firstBit: number, bytes: number): number => {
    let value = 0
    for (let index = 0; index < bytes; index += 1)
      if ((opcode & (firstBit << index)) !== 0) value += (delta[next++] ?? 0) * 256 ** index
    return value
  }
  const start = number(0x01, 4)
  const length = number(0x10, 3)
  return { source: 'base', start, length: length === 0 ? 0x10000 : length, next }
}

function sizeAt(delta: Uint8Array, at: number): { readonly value: number; readonly next: number } {
  let value = 0
  for (let index = 0; index < 8; index += 1) {
    const byte = delta[at + index]
    if (byte === undefined) break
    value += (byte & 0x7f) * 128 ** index
    if ((byte & 0x80) === 0) return { value, next: at + index + 1 }
  }
  throw new PackMalformed('the size of a delta cannot be read')
}
