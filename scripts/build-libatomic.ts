// Makes a node executable start on a host that has no libatomic.so.1, as bare Debian and Ubuntu have not.
// Since version 25 the official builds are linked with it, for one function: V8 compares and swaps 8 bytes whose type
// promises only 4-byte alignment (https://github.com/nodejs/node/issues/60790). That function is put into the executable
// itself, in the unused end of its last page of code, and the library is taken from the list of those it needs.
// Decision: docs/decisions/2026-11-23-libatomic-in-the-executable.md

/** Changes `image` in place. Throws when the executable is not of the form this knows; nothing is guessed. */
export function withoutLibatomic(image: Buffer): void {
  const elf = readElf(image)
  const needed = elf.dynamic.findIndex(({ tag, value }) => tag === DT.needed && elf.text(value) === library)
  if (needed === -1) return
  const versions = removeVersions(elf)
  const symbols = symbolsOfVersions(elf, versions)
  const [symbol] = symbols
  if (symbol === undefined || symbols.length !== 1 || elf.symbolName(symbol) !== functionName)
    throw new Error(
      `This node takes ${symbols.map(elf.symbolName).join(', ') || 'nothing'} from ${library}; only ${functionName} can be replaced. Add it to scripts/build-libatomic.ts.`,
    )
  define(elf, symbol, placeCode(elf))
  removeNeeded(elf, needed)
}

const library = 'libatomic.so.1'
const functionName = '__atomic_compare_exchange'

const DT = {
  needed: 1,
  strtab: 5,
  symtab: 6,
  rela: 7,
  relasz: 8,
  pltrelsz: 2,
  jmprel: 23,
  versym: 0x6ffffff0,
  verneed: 0x6ffffffe,
  verneednum: 0x6fffffff,
}
const PT = { load: 1, dynamic: 2 }
const executableFlag = 1
const typeExecutable = 2
const hidden = 2
const absolute = 0xfff1
const versionGlobal = 1

/**
 * bool __atomic_compare_exchange(size_t size, void *at, void *expected, void *desired, int, int), for a size of 8 - the
 * only one V8 asks for; any other stops the process at an illegal instruction rather than going on wrongly.
 */
const code: Readonly<Record<number, string>> = {
  // x86-64: endbr64; cmp rdi,8; jne 2f; mov rax,[rdx]; mov rcx,[rcx]; lock cmpxchg [rsi],rcx; jne 1f; mov eax,1; ret;
  //         1: mov [rdx],rax; xor eax,eax; ret; 2: ud2
  62: 'f30f1efa 4883ff08 7519 488b02 488b09 f0480fb10e 7506 b801000000 c3 488902 31c0 c3 0f0b',
  // aarch64: cmp x0,8; b.ne 3f; ldr x4,[x2]; ldr x5,[x3]; 1: ldaxr x6,[x1]; cmp x6,x4; b.ne 2f; stlxr w7,x5,[x1];
  //          cbnz w7,1b; mov w0,1; ret; 2: clrex; str x6,[x2]; mov w0,0; ret; 3: brk 1  (words, little-endian below)
  183: `1f2000f1 c1010054 440040f9 650040f9 26fc5fc8 df0004eb a1000054 25fc07c8
        87ffff35 20008052 c0035fd6 5f3f03d5 460000f9 00008052 c0035fd6 200020d4`,
}

type Segment = {
  readonly at: number
  readonly type: number
  readonly flags: number
  readonly offset: number
  readonly address: number
  readonly size: number
}
type DynamicEntry = { readonly at: number; readonly tag: number; readonly value: number }

type Elf = {
  readonly image: Buffer
  readonly machine: number
  readonly segments: readonly Segment[]
  readonly dynamic: readonly DynamicEntry[]
  /** Where in the file the byte at an address is. */
  offsetOf(address: number): number
  entry(tag: number): DynamicEntry
  text(offset: number): string
  symbolAt(index: number): number
  symbolName(index: number): string
}

function readElf(image: Buffer): Elf {
  if (image.readUInt32BE(0) !== 0x7f454c46 || image[4] !== 2 || image[5] !== 1)
    throw new Error('Not a 64-bit little-endian ELF executable.')
  if (image.readUInt16LE(16) !== typeExecutable)
    throw new Error('This node is position-independent, which scripts/build-libatomic.ts does not know yet.')
  const segments = segmentsOf(image)
  const offsetOf = (address: number) => {
    const segment = segments.find((s) => s.type === PT.load && address >= s.address && address < s.address + s.size)
    if (segment === undefined) throw new Error(`The ELF address 0x${address.toString(16)} is in no segment.`)
    return segment.offset + address - segment.address
  }
  const dynamic = dynamicOf(image, segments)
  const entry = (tag: number) => {
    const found = dynamic.find((each) => each.tag === tag)
    if (found === undefined) throw new Error(`The ELF dynamic section has no entry 0x${tag.toString(16)}.`)
    return found
  }
  const text = (offset: number) => {
    const start = offsetOf(entry(DT.strtab).value) + offset
    return image.toString('latin1', start, image.indexOf(0, start))
  }
  const symbolAt = (index: number) => offsetOf(entry(DT.symtab).value) + index * 24
  const symbolName = (index: number) => text(image.readUInt32LE(symbolAt(index)))
  const machine = image.readUInt16LE(18)
  return { image, machine, segments, dynamic, offsetOf, entry, text, symbolAt, symbolName }
}

function segmentsOf(image: Buffer): readonly Segment[] {
  const start = number(image, 32)
  return Array.from({ length: image.readUInt16LE(56) }, (_, index) => {
    const at = start + index * image.readUInt16LE(54)
    const [offset, address, size] = [number(image, at + 8), number(image, at + 16), number(image, at + 32)]
    return { at, type: image.readUInt32LE(at), flags: image.readUInt32LE(at + 4), offset, address, size }
  })
}

function dynamicOf(image: Buffer, segments: readonly Segment[]): readonly DynamicEntry[] {
  const segment = segments.find(({ type }) => type === PT.dynamic)
  if (segment === undefined) throw new Error('The ELF executable has no dynamic section.')
  const entries: DynamicEntry[] = []
  for (let at = segment.offset; at < segment.offset + segment.size; at += 16) {
    const tag = number(image, at)
    if (tag === 0) break
    entries.push({ at, tag, value: number(image, at + 8) })
  }
  return entries
}

/** Takes the library's record from the list of versions needed; returns the version numbers that were its own. */
function removeVersions({ image, offsetOf, entry, text }: Elf): ReadonlySet<number> {
  const first = entry(DT.verneed)
  const count = entry(DT.verneednum)
  let previous: number | null = null
  let at = offsetOf(first.value)
  while (text(image.readUInt32LE(at + 4)) !== library) {
    const next = image.readUInt32LE(at + 12)
    if (next === 0) return new Set()
    previous = at
    at += next
  }
  const versions = new Set<number>()
  for (let aux = at + image.readUInt32LE(at + 8), left = image.readUInt16LE(at + 2); left > 0; left -= 1) {
    versions.add(image.readUInt16LE(aux + 6))
    aux += image.readUInt32LE(aux + 12)
  }
  const next = image.readUInt32LE(at + 12)
  if (previous === null) image.writeBigUInt64LE(BigInt(first.value + next), first.at + 8)
  else image.writeUInt32LE(next === 0 ? 0 : image.readUInt32LE(previous + 12) + next, previous + 12)
  image.writeBigUInt64LE(BigInt(count.value - 1), count.at + 8)
  return versions
}

/** Every undefined symbol of an executable is in some relocation; those tables need no section headers to be found. */
function symbolsOfVersions(elf: Elf, versions: ReadonlySet<number>): readonly number[] {
  const { image, offsetOf, entry } = elf
  const versionOf = (symbol: number) => image.readUInt16LE(offsetOf(entry(DT.versym).value) + symbol * 2)
  const tables = [
    [DT.jmprel, DT.pltrelsz],
    [DT.rela, DT.relasz],
  ] as const
  const symbols = tables.flatMap(([table, size]) => {
    const start = offsetOf(entry(table).value)
    return Array.from({ length: entry(size).value / 24 }, (_, index) => image.readUInt32LE(start + index * 24 + 12))
  })
  return [...new Set(symbols)].filter((symbol) => symbol !== 0 && versions.has(versionOf(symbol)))
}

/** Puts the function behind the last byte of code; a page is mapped as a whole, so that it needs no room in memory. */
function placeCode({ image, machine, segments }: Elf): { readonly address: number; readonly size: number } {
  const hex = code[machine]
  if (hex === undefined) throw new Error(`scripts/build-libatomic.ts has no code for the ELF machine ${machine}.`)
  const bytes = Buffer.from(hex.replace(/\s/g, ''), 'hex')
  const segment = segments.find(({ type, flags }) => type === PT.load && (flags & executableFlag) !== 0)
  if (segment === undefined) throw new Error('The ELF executable has no segment of code.')
  const end = Math.ceil((segment.address + segment.size) / 16) * 16 - segment.address
  const at = segment.offset + end
  const isFree = image.subarray(at, at + bytes.length).every((byte) => byte === 0)
  const isApart = segments.every(({ offset }) => offset <= segment.offset || offset >= at + bytes.length)
  if (!isFree || !isApart) throw new Error('There is no room behind the code of this node.')
  bytes.copy(image, at)
  for (const field of [32, 40]) image.writeBigUInt64LE(BigInt(end + bytes.length), segment.at + field)
  return { address: segment.address + end, size: bytes.length }
}

/** A hidden symbol is taken by the loader as it stands in the table, without asking any library. */
function define(
  { image, offsetOf, entry, symbolAt }: Elf,
  symbol: number,
  at: { address: number; size: number },
): void {
  const offset = symbolAt(symbol)
  image.writeUInt8(hidden, offset + 5)
  image.writeUInt16LE(absolute, offset + 6)
  image.writeBigUInt64LE(BigInt(at.address), offset + 8)
  image.writeBigUInt64LE(BigInt(at.size), offset + 16)
  image.writeUInt16LE(versionGlobal, offsetOf(entry(DT.versym).value) + symbol * 2)
}

function removeNeeded({ image, dynamic }: Elf, index: number): void {
  const removed = dynamic[index]
  const last = dynamic.at(-1)
  if (removed === undefined || last === undefined) return
  image.copy(image, removed.at, removed.at + 16, last.at + 16)
  image.fill(0, last.at, last.at + 16)
}

function number(image: Buffer, at: number): number {
  return Number(image.readBigUInt64LE(at))
}
