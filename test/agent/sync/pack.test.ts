import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { incomingPack } from '../../../agent/sync/pack/incoming-pack.ts'
import { indexPack } from '../../../agent/sync/pack/index-pack.ts'
import { PackMalformed, PackTooLarge, packLimits } from '../../../agent/sync/pack/limits.ts'
import { PackIndex } from '../../../agent/sync/pack/pack-index.ts'
import { PackedObjects } from '../../../agent/sync/pack/packed-objects.ts'
import type { TestFiles, TestRepository } from '../../support/git.ts'
import { type MadeObject, madePack, repeating } from '../../support/packs.ts'
import { fleetWith } from './fixture.ts'

describe('the index of a pack is the one that git makes', () => {
  test.each<[string, readonly string[], TestFiles]>([
    ['a history of one file, by deltas on deltas', [], {}],
    ['deltas that name their base by its id', ['-c', 'repack.useDeltaBaseOffset=false'], {}],
    ['files that are larger than one read', [], { big: randomBytes(700_000), zeros: Buffer.alloc(5_000_000) }],
    ['files of every small size', [], Object.fromEntries([0, 1, 15, 16, 127, 128, 70_000].map(ofSize))],
  ])('%s', async (_, settings, files) => {
    const fleet = await fleetWith({ 'plumb.yaml': 'version: 1\n', ...files })
    await fleet.commitMany(120)
    await fleet.git('tag', '-a', '-m', 'a tag', 'v1')
    const pack = await packed(fleet, settings)

    const index = await indexPack(pack)

    expect(index.equals(readFileSync(pack.replace(/pack$/, 'idx')))).toBe(true)
  })
})

test('every object is read as git reads it, and its size is known before', async () => {
  const fleet = await fleetWith({ a: lines(3000), b: randomBytes(300_000), c: '' })
  await fleet.commit({ a: `${lines(3000)}one more\n`, d: { link: 'a' } })
  await fleet.commit({ a: lines(2900) })
  await packed(fleet, [])
  const all = (await fleet.git('cat-file', '--batch-all-objects', '--batch-check')).split('\n')

  const packs = new PackedObjects(fleet.gitDirectory)
  onTestFinished(() => packs.close())
  for (const [oid = '', type, size] of all.map((line) => line.split(' '))) {
    const found = await packs.read(oid)
    expect({ type: found.type, size: await packs.sizeOf(oid) }).toEqual({ type, size: Number(size) })
    const hash = createHash('sha1').update(`${found.type} ${found.bytes.length}\0`).update(found.bytes)
    expect(hash.digest('hex')).toBe(oid)
  }
  expect(await packs.find('0'.repeat(40))).toBeUndefined()
})

describe('a pack that costs more than it may', () => {
  const small = { ...packLimits, objects: 5, inflatedBytes: 10_000, objectBytes: 4000, headerBytes: 500, depth: 3 }
  const chain = (length: number): readonly MadeObject[] => [
    { type: 'blob', content: Buffer.alloc(10) },
    ...Array.from({ length }, (): MadeObject => ({ type: 'delta', content: repeating(10, 10) })),
  ]

  test.each<[string, readonly MadeObject[], string]>([
    ['more objects', Array.from({ length: 6 }, () => blob(1)), '6 objects; at most 5'],
    ['a file of many zeros', [blob(10_001)], 'more than 1 MiB when it is unpacked'],
    ['many files of zeros', [blob(4000), blob(4000), blob(4000)], 'when it is unpacked'],
    ['one that only says that it is large', [{ ...blob(1), says: 2 ** 40 }], 'when it is unpacked'],
    ['deltas that make much of little', [blob(10), delta(10, 9000), delta(10, 9000, 2)], 'when it is unpacked'],
    ['a delta that announces much', [blob(10), delta(10, 2 ** 40)], 'when it is unpacked'],
    ['a long chain of deltas', chain(4), 'chains of deltas are too long'],
    ['a large tree', [{ type: 'tree', content: Buffer.alloc(501) }], 'a tree in it has'],
  ])('%s is refused', async (_, objects, words) => {
    const refused = indexPack(fileOf(madePack(objects)), small)

    await expect(refused).rejects.toBeInstanceOf(PackTooLarge)
    await expect(refused).rejects.toThrow(words)
  })

  test('within its limits is taken', async () => {
    const index = await indexPack(fileOf(madePack(chain(3))), small)

    expect(index.readUInt32BE(8 + 255 * 4)).toBe(4)
  })

  test('deltas on a base that is inflated again and again are refused when they cost too much', async () => {
    const objects = [blob(2000), ...Array.from({ length: 4 }, (_, index) => delta(2000, 2000, index + 1))]

    await expect(
      indexPack(fileOf(madePack(objects)), { ...small, inflatedBytes: 50_000, workBytes: 9000 }),
    ).rejects.toThrow('too much work')
  })

  test('a file that is only too large for the memory is left to be refused by its name', async () => {
    const roomy = { ...small, inflatedBytes: 50_000 }
    const index = new PackIndex(await indexPack(fileOf(madePack([blob(3000), blob(4001), delta(4001, 4001)])), roomy))

    expect([3000, 4001].map((size) => index.offsetOf(zeros(size)) !== undefined)).toEqual([true, true])
  })
})

describe('a pack that is none', () => {
  test.each<[string, Buffer, string]>([
    ['cut short', madePack([blob(100)]).subarray(0, 30), 'shorter than its own header'],
    ['another file', Buffer.from('<!doctype html>'.repeat(9)), 'does not begin as a pack'],
    ['more objects announced than there can be', madePack([blob(1)], 1000), 'fewer objects than it says'],
    ['an object that is larger than it says', madePack([{ ...blob(100), says: 99 }]), 'larger than it says'],
    ['a large one that is larger', madePack([{ ...blob(200_000), says: 199_999 }]), 'larger than it says'],
    ['an object that is smaller than it says', madePack([{ ...blob(100), says: 101 }]), 'smaller than it says'],
    ['a large one that is smaller', madePack([{ ...blob(200_000), says: 200_001 }]), 'smaller than it says'],
    ['a delta of another base', madePack([blob(10), delta(11, 11)]), 'for another base'],
    ['a delta without a base', madePack([blob(10), delta(10, 10, 2)]), 'base outside of the pack'],
    ['a delta that is its own base', madePack([blob(10), delta(10, 10, 0)]), 'base'],
  ])('%s is told', async (_, bytes, words) => {
    const refused = indexPack(fileOf(bytes))

    await expect(refused).rejects.toBeInstanceOf(PackMalformed)
    await expect(refused).rejects.toThrow(words)
  })

  test('whatever byte is another one, it is a pack or it is told to be none', async () => {
    const fleet = await fleetWith({ a: lines(400), b: lines(300) })
    await fleet.commit({ a: lines(390) })
    const bytes = readFileSync(await packed(fleet, []))
    const unexpected: unknown[] = []
    for (let at = 0; at < bytes.length; at += 3) {
      const damaged = Buffer.from(bytes)
      damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8))
      await indexPack(fileOf(damaged)).catch((error) => {
        if (!(error instanceof PackMalformed || error instanceof PackTooLarge)) unexpected.push(error)
      })
    }
    expect(unexpected).toEqual([])
  })
})

describe('a pack on its way in', () => {
  test('is taken out of the answer, however it is cut, and put in place whole', async () => {
    const bytes = madePack([blob(100), delta(100, 200)])
    const lineOf = (channel: number, part: Buffer) => {
      const length = (part.length + 5).toString(16).padStart(4, '0')
      return Buffer.concat([Buffer.from(length), Buffer.from([channel]), part])
    }
    const rest = [Buffer.from('0008NAK\n'), lineOf(2, Buffer.from('counting')), Buffer.from('0000')]
    const [nak = bytes, progress = bytes, flush = bytes] = rest
    const parts = [nak, lineOf(1, bytes.subarray(0, 7)), progress, lineOf(1, bytes.subarray(7)), flush]
    const answer = Buffer.concat(parts)
    for (const step of [1, 3, 17, answer.length]) {
      const directory = temporaryDirectory()
      const incoming = incomingPack(directory)
      const through: Buffer[] = []
      for await (const chunk of incoming.through(cut(answer, step))) through.push(Buffer.from(chunk))
      await incoming.finish()
      await incoming.discard()

      expect(Buffer.concat(through).equals(Buffer.concat(rest))).toBe(true)
      const names = readdirSync(join(directory, 'objects/pack')).toSorted()
      expect(names).toEqual([expect.stringMatching(/^pack-.*\.idx$/), expect.stringMatching(/^pack-.*\.pack$/)])
      expect(readFileSync(join(directory, 'objects/pack', names[1] ?? '')).equals(bytes)).toBe(true)
    }
  })

  test('with a wrong checksum leaves nothing behind', async () => {
    const directory = temporaryDirectory()
    const incoming = incomingPack(directory)
    const bytes = madePack([blob(100)])
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
    const line = Buffer.concat([Buffer.from((bytes.length + 5).toString(16).padStart(4, '0')), Buffer.from([1]), bytes])
    for await (const _ of incoming.through(cut(line, 50))) expect.unreachable()

    await expect(incoming.finish()).rejects.toThrow('checksum')
    await incoming.discard()
    expect(readdirSync(join(directory, 'objects/pack'))).toEqual([])
  })
})

function blob(size: number): MadeObject {
  return { type: 'blob', content: Buffer.alloc(size) }
}

function delta(base: number, result: number, back = 1): MadeObject {
  if (result < 2 ** 30) return { type: 'delta', content: repeating(base, result), back }
  return { type: 'delta', content: Buffer.from([base, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20]), back }
}

/** The id of a file of so many zeros. */
function zeros(size: number): string {
  return createHash('sha1').update(`blob ${size}\0`).update(Buffer.alloc(size)).digest('hex')
}

function ofSize(size: number): [string, Uint8Array] {
  return [`file-${size}`, randomBytes(size)]
}

function lines(count: number): string {
  return Array.from({ length: count }, (_, index) => `line ${index} ${(index * 7919) % 1000}\n`).join('')
}

async function packed(fleet: TestRepository, settings: readonly string[]): Promise<string> {
  await fleet.git(...settings, 'repack', '-adfq', '--depth=50')
  const directory = join(fleet.gitDirectory, 'objects/pack')
  const name = readdirSync(directory).find((candidate) => candidate.endsWith('.pack')) ?? ''
  return join(directory, name)
}

function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'plumb-pack-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

function fileOf(bytes: Uint8Array): string {
  const path = join(temporaryDirectory(), 'a.pack')
  writeFileSync(path, bytes)
  return path
}

async function* cut(bytes: Buffer, step: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step)
}
