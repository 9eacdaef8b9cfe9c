// Where two versions of a file that are too large to be held differ: their common start and end are passed over, and what is between
// them, with what is around it, is read when it is small enough.
import { createHash } from 'node:crypto'
import { type Content, inStep, rangeOf } from './in-step.ts'

export type LargeSide = { readonly size: number; readonly sha256: string }

/** `isEnd`: it goes to the end of its side. */
export type Window = { readonly bytes: Uint8Array; readonly isEnd: boolean }

export type LargeDifference = {
  readonly expected: LargeSide
  readonly live: LargeSide
  /** A NUL byte in one of them. */
  readonly isBinary: boolean
  /** The first line that differs, from 1, and the byte at which. */
  readonly line: number
  readonly byte: number
  /** Bytes from there to the common end, of each. */
  readonly expectedLength: number
  readonly liveLength: number
  /** Undefined when they are too long. Both begin and end with what both have in common. */
  readonly windows?: {
    readonly expected: Window
    readonly live: Window
    /** The line on which they begin, from 1; whole unless it is the first. */
    readonly line: number
    readonly isStart: boolean
  }
}

/** Longer differences are reported by their place alone. */
const windowBytes = 1024 * 1024
/** Around it, so that a secret that reaches into it is recognized: longer than any value may be in any encoding. */
const marginBytes = 256 * 1024

export type KnownContent = Content & { readonly sha256: string }

/** Undefined: one of them is not what it was said to be (any more). */
export async function largeDifference(
  expected: KnownContent,
  live: KnownContent,
): Promise<LargeDifference | undefined> {
  const sides = {
    expected: { size: expected.size, sha256: expected.sha256 },
    live: { size: live.size, sha256: live.sha256 },
  }
  const seen = [await seenOf(expected), await seenOf(live)]
  if (seen.some(({ isAsSaid }) => !isAsSaid)) return undefined
  const start = await commonStart(expected, live)
  const end = Math.min(await commonEnd(expected, live), Math.min(expected.size, live.size) - start.byte)
  const place = {
    isBinary: seen.some(({ isBinary }) => isBinary),
    line: start.line,
    byte: start.byte,
    expectedLength: expected.size - end - start.byte,
    liveLength: live.size - end - start.byte,
  }
  const longest = Math.max(place.expectedLength, place.liveLength) + start.byte - start.lineStart
  if (place.isBinary || longest > windowBytes) return { ...sides, ...place }
  const from = Math.max(0, start.lineStart - marginBytes)
  const windowOf = async (content: Content): Promise<Window> => {
    const to = Math.min(content.size, content.size - end + marginBytes)
    return { bytes: await rangeOf(content, from, to), isEnd: to === content.size }
  }
  const windows = { expected: await windowOf(expected), live: await windowOf(live) }
  const before = newlinesIn(windows.live.bytes.subarray(0, start.lineStart - from))
  return { ...sides, ...place, windows: { ...windows, line: start.line - before, isStart: from === 0 } }
}

async function seenOf(content: KnownContent): Promise<{ readonly isAsSaid: boolean; readonly isBinary: boolean }> {
  const digest = createHash('sha256')
  let isBinary = false
  let size = 0
  for await (const part of content.parts()) {
    digest.update(part)
    size += part.length
    isBinary ||= part.includes(0)
  }
  return { isAsSaid: size === content.size && digest.digest('hex') === content.sha256, isBinary }
}

type Start = { readonly byte: number; readonly line: number; readonly lineStart: number }

/** Where they part, or the shorter one ends. */
async function commonStart(expected: Content, live: Content): Promise<Start> {
  let start: Start = { byte: 0, line: 1, lineStart: 0 }
  await inStep(expected, live, 'start', (one, other, offset) => {
    const same = commonPrefix(one, other)
    const piece = one.subarray(0, same)
    const last = piece.lastIndexOf(newline)
    start = {
      byte: offset + same,
      line: start.line + newlinesIn(piece),
      lineStart: last === -1 ? start.lineStart : offset + last + 1,
    }
    return same === one.length
  })
  return start
}

/** Bytes that both have alike at their ends. */
async function commonEnd(expected: Content, live: Content): Promise<number> {
  let common = 0
  await inStep(expected, live, 'end', (one, other) => {
    const same = commonSuffix(one, other)
    common = same === one.length ? common + same : same
    return true
  })
  return common
}

const newline = 0x0a

function commonPrefix(one: Uint8Array, other: Uint8Array): number {
  return longestSame(one.length, (length) => Buffer.compare(one.subarray(0, length), other.subarray(0, length)) !== 0)
}

function commonSuffix(one: Uint8Array, other: Uint8Array): number {
  const tail = (bytes: Uint8Array, length: number) => bytes.subarray(bytes.length - length)
  return longestSame(one.length, (length) => Buffer.compare(tail(one, length), tail(other, length)) !== 0)
}

/** The greatest length up to `most` that does not differ, by halving. */
function longestSame(most: number, differs: (length: number) => boolean): number {
  if (!differs(most)) return most
  let [same, different] = [0, most]
  while (different - same > 1) {
    const middle = Math.floor((same + different) / 2)
    if (differs(middle)) different = middle
    else same = middle
  }
  return same
}

function newlinesIn(bytes: Uint8Array): number {
  let count = 0
  for (let at = bytes.indexOf(newline); at !== -1; at = bytes.indexOf(newline, at + 1)) count += 1
  return count
}
