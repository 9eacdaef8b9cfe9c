// Indexes a pack that came from a remote, within limits. First the pack from front to back: every object without a base has
// its id then, and the sizes of all are known. Then the deltas, each next to its base.
import { createHash, type Hash } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import { applyDelta, deltaHeaderBytes, deltaInto, deltaSizes } from './delta.ts'
import { type PackLimits, PackMalformed, PackTooLarge, packLimits } from './limits.ts'
import { type ObjectType, type PackEntry, PackFile, windowBytes } from './pack-file.ts'
import { indexBytes } from './pack-index.ts'
import { createRecentBytes } from './recent-bytes.ts'

/**
 * The index for the pack at `path`. A delta whose base is too large to be held in memory is not in it. Throws
 * `PackTooLarge`, `PackMalformed`, or an errno.
 */
export async function indexPack(path: string, limits: PackLimits = packLimits): Promise<Buffer> {
  const file = new PackFile(path)
  try {
    return await new Indexing(file, limits).whole()
  } finally {
    file.close()
  }
}

const idBytes = 20
/** What is inflated between two turns of the event loop. */
const turnBytes = 4 * 1024 * 1024
const recentBytes = 32 * 1024 * 1024
const absent = -1
/** A delta whose base has not been met. */
const unresolved = -2

class Indexing {
  readonly #file: PackFile
  readonly #limits: PackLimits
  readonly #count: number
  readonly #offsets: Float64Array
  readonly #crcs: Uint32Array
  readonly #oids: Buffer
  readonly #known: Uint8Array
  /** Of a delta, the position of its base. */
  readonly #bases: Int32Array
  /** Of a base, the first delta on it; of a delta, the next one on the same base. */
  readonly #firstDelta: Int32Array
  readonly #nextDelta: Int32Array
  readonly #depths: Uint16Array
  /** Deltas by the id of a base that may come later. */
  readonly #byBaseId = new Map<string, number[]>()
  readonly #recent = createRecentBytes<number, ObjectBytes>(recentBytes)
  #announced = 0
  #work = 0
  #sinceTurn = 0

  constructor(file: PackFile, limits: PackLimits) {
    this.#file = file
    this.#limits = limits
    this.#count = file.objects
    if (this.#count > limits.objects)
      throw new PackTooLarge(`it has ${this.#count} objects; at most ${limits.objects} are taken`)
    // Nothing is allotted for objects that cannot be in a file of this size.
    if (this.#count > file.size / 8) throw new PackMalformed('it has fewer objects than it says')
    this.#offsets = new Float64Array(this.#count)
    this.#crcs = new Uint32Array(this.#count)
    this.#oids = Buffer.alloc(this.#count * idBytes)
    this.#known = new Uint8Array(this.#count)
    this.#bases = new Int32Array(this.#count).fill(absent)
    this.#firstDelta = new Int32Array(this.#count).fill(absent)
    this.#nextDelta = new Int32Array(this.#count).fill(absent)
    this.#depths = new Uint16Array(this.#count)
  }

  async whole(): Promise<Buffer> {
    let offset = this.#file.first
    for (let position = 0; position < this.#count; position += 1) {
      const entry = this.#file.entryAt(offset)
      this.#offsets[position] = offset
      const end = await this.#first(entry, position)
      this.#crcs[position] = this.#crcOf(offset, end)
      offset = end
    }
    if (offset !== this.#file.end) throw new PackMalformed('something stands behind its last object')
    for (let position = 0; position < this.#count; position += 1) this.#link(position)
    for (let position = 0; position < this.#count; position += 1)
      if (this.#bases[position] === absent && this.#known[position] === 1) await this.#deltasOn(position)
    const order = this.#order()
    const checksum = Buffer.from(this.#file.bytes(this.#file.end, idBytes))
    const columns = { order, oids: this.#oids, crcs: this.#crcs, offsets: this.#offsets }
    return indexBytes(columns, checksum)
  }

  /** What an object announces is counted before it is inflated; resolves to where it ends. */
  async #first(entry: PackEntry, position: number): Promise<number> {
    this.#announce(entry.size)
    if (entry.type !== 'delta') {
      if (entry.type !== 'blob' && entry.size > this.#limits.headerBytes)
        throw new PackTooLarge(`a ${entry.type} in it has ${sizeText(entry.size)}`)
      const hash = hashOf(entry.type, entry.size)
      const end = await this.#file.inflateInto(entry, (chunk) => hash.update(chunk))
      await this.#spend(entry.size)
      this.#name(position, hash)
      return end
    }
    return await this.#firstOfDelta(entry, position)
  }

  async #firstOfDelta(entry: PackEntry, position: number): Promise<number> {
    const { objectBytes, idDeltas } = this.#limits
    if (entry.size > objectBytes) throw new PackTooLarge(`a delta in it has ${sizeText(entry.size)}`)
    if (typeof entry.base === 'number') this.#addDelta(this.#positionAt(entry.base, position), position)
    else if (entry.base !== undefined) {
      this.#bases[position] = unresolved
      this.#byBaseId.set(entry.base, [...(this.#byBaseId.get(entry.base) ?? []), position])
      if (this.#byBaseId.size > idDeltas)
        throw new PackTooLarge(`more than ${idDeltas} deltas in it name their base by id`)
    }
    let announced = false
    const end = await this.#file.inflateInto(entry, (chunk) => {
      if (!announced) this.#announce(deltaSizes(chunk.subarray(0, deltaHeaderBytes)).result)
      announced = true
    })
    await this.#spend(entry.size)
    return end
  }

  #announce(size: number): void {
    this.#announced += size
    if (this.#announced > this.#limits.inflatedBytes)
      throw new PackTooLarge(`it would be more than ${sizeText(this.#limits.inflatedBytes)} when it is unpacked`)
  }

  async #spend(bytes: number): Promise<void> {
    this.#work += bytes
    if (this.#work > this.#limits.workBytes) throw new PackTooLarge('its deltas take too much work to unpack')
    this.#sinceTurn += bytes + 1024
    if (this.#sinceTurn < turnBytes) return
    this.#sinceTurn = 0
    await nextTurn()
  }

  #addDelta(base: number, delta: number): void {
    this.#bases[delta] = base
    this.#nextDelta[delta] = this.#firstDelta[base] ?? absent
    this.#firstDelta[base] = delta
  }

  /** Offsets rise with positions. */
  #positionAt(offset: number, before: number): number {
    let low = 0
    let high = before
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#offsets[middle] ?? 0) < offset) low = middle + 1
      else high = middle
    }
    if (this.#offsets[low] !== offset || low >= before) throw new PackMalformed('a delta has no object as its base')
    return low
  }

  #name(position: number, hash: Hash): void {
    hash.digest().copy(this.#oids, position * idBytes)
    this.#known[position] = 1
  }

  /** Deltas that name their base by its id: the base may stand behind them, or be a delta itself. */
  #link(position: number): void {
    if (this.#byBaseId.size === 0 || this.#known[position] === 0) return
    const oid = this.#oids.toString('hex', position * idBytes, (position + 1) * idBytes)
    for (const delta of this.#byBaseId.get(oid) ?? []) this.#addDelta(position, delta)
    this.#byBaseId.delete(oid)
  }

  /** Depth first, so that a base was made just before what is built on it. */
  async #deltasOn(root: number): Promise<void> {
    const open = this.#firstDelta[root] === absent ? [] : [root]
    for (let base = open.pop(); base !== undefined; base = open.pop()) {
      if ((this.#depths[base] ?? 0) >= this.#limits.depth) throw new PackTooLarge('its chains of deltas are too long')
      const whole = await this.#bytesOf(base)
      if (whole === undefined) continue
      for (let delta = this.#firstDelta[base] ?? absent; delta !== absent; delta = this.#nextDelta[delta] ?? absent) {
        this.#depths[delta] = (this.#depths[base] ?? 0) + 1
        const made = await this.#named(whole, delta)
        if (made === undefined || this.#firstDelta[delta] === absent) continue
        this.#recent.set(delta, made)
        open.push(delta)
      }
    }
  }

  /** Undefined: its result is too large to be built on. It has its id all the same, so that it can be refused by its name. */
  async #named(base: ObjectBytes, delta: number): Promise<ObjectBytes | undefined> {
    const made = await this.#applied(base, delta)
    if (made !== undefined) {
      this.#name(delta, hashOf(made.type, made.bytes.length).update(made.bytes))
      this.#link(delta)
      return made
    }
    const { bytes } = await this.#file.inflated(this.#file.entryAt(this.#offsets[delta] ?? 0))
    const size = deltaSizes(bytes).result
    await this.#spend(size)
    const hash = hashOf(base.type, size)
    deltaInto({ base: base.bytes, delta: bytes }, (part) => hash.update(part))
    this.#name(delta, hash)
    return undefined
  }

  async #applied(base: ObjectBytes, delta: number): Promise<ObjectBytes | undefined> {
    const entry = this.#file.entryAt(this.#offsets[delta] ?? 0)
    const { bytes } = await this.#file.inflated(entry)
    const size = deltaSizes(bytes).result
    await this.#spend(entry.size)
    if (size > (base.type === 'blob' ? this.#limits.objectBytes : this.#limits.headerBytes)) return undefined
    await this.#spend(size)
    return { type: base.type, bytes: applyDelta(base.bytes, bytes) }
  }

  /** From the nearest base that is still held; undefined when one on the way is too large. */
  async #bytesOf(position: number): Promise<ObjectBytes | undefined> {
    const chain: number[] = []
    let at = position
    let whole = this.#recent.get(at)
    while (whole === undefined && (this.#bases[at] ?? absent) >= 0) {
      chain.push(at)
      at = this.#bases[at] ?? absent
      whole = this.#recent.get(at)
    }
    whole ??= await this.#read(at)
    for (const delta of chain.reverse()) {
      whole = whole === undefined ? undefined : await this.#applied(whole, delta)
    }
    return whole
  }

  async #read(position: number): Promise<ObjectBytes | undefined> {
    const entry = this.#file.entryAt(this.#offsets[position] ?? 0)
    if (entry.type === 'delta' || entry.size > this.#limits.objectBytes) return undefined
    const { bytes } = await this.#file.inflated(entry)
    await this.#spend(entry.size)
    return { type: entry.type, bytes }
  }

  #crcOf(start: number, end: number): number {
    let crc = 0
    for (let at = start; at < end; at += windowBytes)
      crc = crc32(this.#file.bytes(at, Math.min(windowBytes, end - at)), crc)
    return crc
  }

  #order(): Uint32Array {
    const known = new Uint32Array(this.#known.reduce((count, is) => count + is, 0))
    let next = 0
    for (const [position, is] of this.#known.entries()) if (is === 1) known[next++] = position
    const oids = this.#oids
    const compare = (one: number, other: number) =>
      oids.compare(oids, other * idBytes, (other + 1) * idBytes, one * idBytes, (one + 1) * idBytes)
    return known.sort(compare)
  }
}

type ObjectBytes = { readonly type: ObjectType; readonly bytes: Buffer }

function hashOf(type: ObjectType, size: number): Hash {
  return createHash('sha1').update(`${type} ${size}\0`)
}

function sizeText(bytes: number): string {
  return `${Math.ceil(bytes / 1024 / 1024)} MiB`
}
