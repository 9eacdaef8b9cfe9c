// The objects of a bare repository whose objects are all in packs, as the agent's own copies are.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { applyDelta, deltaSizes } from './delta.ts'
import { PackMalformed, PackTooLarge, packLimits } from './limits.ts'
import { type ObjectType, type PackEntry, PackFile } from './pack-file.ts'
import { PackIndex } from './pack-index.ts'
import { createRecentBytes } from './recent-bytes.ts'

export type PackedObject = { readonly type: ObjectType; readonly bytes: Buffer }

const recentBytes = 16 * 1024 * 1024

/** Keeps indexes, open packs and what was inflated last until it is closed. */
export class PackedObjects {
  readonly #directory: string
  readonly #packs = new Map<string, Pack>()
  readonly #recent = createRecentBytes<string, PackedObject>(recentBytes)

  constructor(gitDirectory: string) {
    this.#directory = join(gitDirectory, 'objects/pack')
  }

  close(): void {
    for (const { file } of this.#packs.values()) file.close()
    this.#packs.clear()
  }

  /** Undefined when no pack has it. */
  async find(oid: string): Promise<PackedObject | undefined> {
    const place = this.#placeOf(oid)
    return place === undefined ? undefined : await this.#objectAt(place, oid)
  }

  async read(oid: string): Promise<PackedObject> {
    const found = await this.find(oid)
    if (found === undefined) throw new PackMalformed(`object ${oid} is missing`)
    return found
  }

  /** Without inflating more than a beginning; undefined when no pack has it. */
  async sizeOf(oid: string): Promise<number | undefined> {
    const place = this.#placeOf(oid)
    if (place === undefined) return undefined
    const entry = place.pack.file.entryAt(place.offset)
    return entry.type === 'delta' ? await place.pack.file.deltaResultSize(entry) : entry.size
  }

  /** Some objects of the packs are in no index: what they are built on is too large to be unpacked. */
  hasUnindexed(): boolean {
    return [...this.#packs.values()].some(({ file, index }) => index.count < file.objects)
  }

  /** Neighbors in a pack are often built on each other: read in the order of the pack, they are inflated once. */
  async readMany(oids: readonly string[]): Promise<readonly Buffer[]> {
    const places = oids.map((oid, index) => ({ oid, index, offset: this.#placeOf(oid)?.offset ?? 0 }))
    const read = new Array<Buffer>(oids.length)
    for (const { oid, index } of places.toSorted((one, other) => one.offset - other.offset))
      read[index] = (await this.read(oid)).bytes
    return read
  }

  #placeOf(oid: string): Place | undefined {
    const known = this.#placeIn(oid)
    if (known !== undefined) return known
    return this.#openNew() ? this.#placeIn(oid) : undefined
  }

  #placeIn(oid: string): Place | undefined {
    for (const pack of this.#packs.values()) {
      const offset = pack.index.offsetOf(oid)
      if (offset !== undefined) return { pack, offset }
    }
    return undefined
  }

  /** False: there is no pack that is not open. */
  #openNew(): boolean {
    const names = readdirSync(this.#directory).filter((name) => name.endsWith('.idx') && !this.#packs.has(name))
    for (const name of names) {
      const index = new PackIndex(readFileSync(join(this.#directory, name)))
      this.#packs.set(name, { name, index, file: new PackFile(join(this.#directory, name.replace(/idx$/, 'pack'))) })
    }
    return names.length > 0
  }

  async #objectAt(place: Place, oid: string): Promise<PackedObject> {
    const chain: PackEntry[] = []
    const { pack } = place
    const { file } = pack
    let at = place.offset
    for (;;) {
      const known = this.#recent.get(`${pack.name}:${at}`)
      if (known !== undefined) return await this.#built(pack, known, chain)
      const entry = file.entryAt(at)
      if (entry.size > packLimits.objectBytes) throw new PackTooLarge(`object ${oid} has ${entry.size} bytes`)
      if (entry.type !== 'delta') {
        const { bytes } = await file.inflated(entry)
        const whole = { type: entry.type, bytes }
        this.#recent.set(`${pack.name}:${at}`, whole)
        return await this.#built(pack, whole, chain)
      }
      chain.push(entry)
      if (chain.length > packLimits.depth) throw new PackTooLarge(`object ${oid} is a delta of too many deltas`)
      at = this.#baseOf(pack, entry)
    }
  }

  async #built(pack: Pack, base: PackedObject, chain: readonly PackEntry[]): Promise<PackedObject> {
    let whole = base
    for (const entry of chain.toReversed()) {
      const { bytes: delta } = await pack.file.inflated(entry)
      if (deltaSizes(delta).result > packLimits.objectBytes) throw new PackTooLarge('a delta in it makes too much')
      whole = { type: whole.type, bytes: applyDelta(whole.bytes, delta) }
      this.#recent.set(`${pack.name}:${entry.offset}`, whole)
    }
    return whole
  }

  #baseOf({ index }: Pack, { base }: PackEntry): number {
    const offset = typeof base === 'string' ? index.offsetOf(base) : base
    if (offset === undefined) throw new PackMalformed(`object ${base} is missing, on which another is built`)
    return offset
  }
}

type Pack = { readonly name: string; readonly index: PackIndex; readonly file: PackFile }

type Place = { readonly pack: Pack; readonly offset: number }
