// The index beside a pack (version 2): which object is where. Read as bytes and searched by halves: a string for each id of
// a large pack would take more memory than all the rest.
import { createHash } from 'node:crypto'
import { PackMalformed } from './limits.ts'

/** By position in the pack; columns, because a pack may have a million objects. */
export type IndexColumns = {
  /** Positions of the objects that are indexed, by their ids. */
  readonly order: Uint32Array
  /** 20 bytes each. */
  readonly oids: Buffer
  readonly crcs: Uint32Array
  readonly offsets: Float64Array
}

const magic = 0xff744f63
const idBytes = 20
const fanoutBytes = 8 + 256 * 4
/** From here on an offset does not fit into 31 bits, and stands in a table of its own. */
const farOffset = 0x80000000

export function indexBytes({ order, oids, crcs, offsets }: IndexColumns, packChecksum: Buffer): Buffer {
  const far = order.reduce((count, position) => count + ((offsets[position] ?? 0) >= farOffset ? 1 : 0), 0)
  const length = fanoutBytes + order.length * (idBytes + 8) + far * 8 + 2 * idBytes
  const index = Buffer.alloc(length)
  index.writeUInt32BE(magic, 0)
  index.writeUInt32BE(2, 4)
  writeFanout(index, order, oids)
  const crcsAt = fanoutBytes + order.length * idBytes
  const offsetsAt = crcsAt + order.length * 4
  const farAt = offsetsAt + order.length * 4
  let nextFar = 0
  for (const [line, position] of order.entries()) {
    const offset = offsets[position] ?? 0
    oids.copy(index, fanoutBytes + line * idBytes, position * idBytes, (position + 1) * idBytes)
    index.writeUInt32BE(crcs[position] ?? 0, crcsAt + line * 4)
    index.writeUInt32BE(offset < farOffset ? offset : farOffset + nextFar, offsetsAt + line * 4)
    if (offset >= farOffset) index.writeBigUInt64BE(BigInt(offset), farAt + nextFar++ * 8)
  }
  packChecksum.copy(index, length - 2 * idBytes)
  createHash('sha1')
    .update(index.subarray(0, -idBytes))
    .digest()
    .copy(index, length - idBytes)
  return index
}

function writeFanout(index: Buffer, order: Uint32Array, oids: Buffer): void {
  const counts = new Uint32Array(256)
  for (const position of order) {
    const first = oids[position * idBytes] ?? 0
    counts[first] = (counts[first] ?? 0) + 1
  }
  let total = 0
  for (const [first, count] of counts.entries()) {
    total += count
    index.writeUInt32BE(total, 8 + first * 4)
  }
}

export class PackIndex {
  readonly #bytes: Buffer
  readonly #count: number

  get count(): number {
    return this.#count
  }

  /** Throws `PackMalformed` for one that was cut short or written by something else. */
  constructor(bytes: Buffer) {
    if (bytes.length < fanoutBytes + 2 * idBytes || bytes.readUInt32BE(0) !== magic || bytes.readUInt32BE(4) !== 2)
      throw new PackMalformed('the index of a pack is not one')
    this.#bytes = bytes
    this.#count = bytes.readUInt32BE(8 + 255 * 4)
    if (bytes.length < fanoutBytes + this.#count * (idBytes + 8) + 2 * idBytes)
      throw new PackMalformed('the index of a pack was cut short')
  }

  offsetOf(oid: string): number | undefined {
    const id = Buffer.from(oid, 'hex')
    if (id.length !== idBytes) return undefined
    const first = id[0] ?? 0
    let low = first === 0 ? 0 : this.#bytes.readUInt32BE(8 + (first - 1) * 4)
    let high = Math.min(this.#bytes.readUInt32BE(8 + first * 4), this.#count)
    while (low < high) {
      const middle = (low + high) >>> 1
      const at = fanoutBytes + middle * idBytes
      const order = this.#bytes.compare(id, 0, idBytes, at, at + idBytes)
      if (order === 0) return this.#offsetAt(middle)
      if (order < 0) low = middle + 1
      else high = middle
    }
    return undefined
  }

  #offsetAt(position: number): number {
    const offsets = fanoutBytes + this.#count * (idBytes + 4)
    const near = this.#bytes.readUInt32BE(offsets + position * 4)
    if (near < farOffset) return near
    const at = offsets + this.#count * 4 + (near - farOffset) * 8
    if (at + 8 > this.#bytes.length) throw new PackMalformed('the index of a pack was cut short')
    return Number(this.#bytes.readBigUInt64BE(at))
  }
}
