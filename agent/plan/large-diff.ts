// The diff of two versions that are too large to be held, from the part in which they differ. Masked as a whole, with what is around it.
import { FILE_HEADERS_ONLY, formatPatch } from 'diff'
import type { LargeDifference, LargeSide, Window } from '../observe/large.ts'
import { boundedDiff, type Diff, type DiffOptions, maskedPatch, textOf } from './diff.ts'
import type { Mask } from './mask.ts'

export type LargeLabels = { readonly expected: string; readonly live: string }

export function largeDiff(
  large: LargeDifference,
  labels: LargeLabels,
  { mask, holdsSecrets, limitBytes }: DiffOptions,
): Diff {
  const sizes = sizesText(large, labels)
  // A value that was edited could be anywhere in what is shown.
  if (holdsSecrets)
    return { text: `Too large to be shown: it holds secrets\n${sizes}`, cut: false, instead: 'too-large' }
  const { windows } = large
  if (large.isBinary) return { text: `Binary content differs\n${sizes}`, cut: false, instead: 'binary' }
  const [old, now] =
    windows === undefined
      ? []
      : [windows.expected, windows.live].map((window) => shownLines(window, windows.isStart, mask))
  const tooDifferent: Diff = { text: `${placeText(large)}${sizes}`, cut: false, instead: 'too-different' }
  if (windows === undefined || old === undefined || now === undefined) return tooDifferent
  const masked = maskedPatch({ label: labels.expected, ...old }, { label: labels.live, ...now })
  if (masked === undefined) return tooDifferent
  const before = windows.line - (windows.isStart ? 1 : 0)
  const hunks = masked.patch.hunks.map((hunk) => ({
    ...hunk,
    oldStart: hunk.oldStart + before,
    newStart: hunk.newStart + before,
  }))
  const diff = boundedDiff(formatPatch({ ...masked.patch, hunks }, FILE_HEADERS_ONLY), limitBytes)
  return masked.isMasked ? { ...diff, isMasked: true } : diff
}

/** The other way round: what an apply would do. */
export function reversed(large: LargeDifference): LargeDifference {
  const { windows } = large
  return {
    ...large,
    expected: large.live,
    live: large.expected,
    expectedLength: large.liveLength,
    liveLength: large.expectedLength,
    ...(windows === undefined ? {} : { windows: { ...windows, expected: windows.live, live: windows.expected } }),
  }
}

/** Whole lines, cut out after everything was masked; undefined when they are not text, or too long to have an end here. */
function shownLines({ bytes, isEnd }: Window, isStart: boolean, mask: Mask): ShownLines | undefined {
  const from = isStart ? 0 : bytes.indexOf(newline) + 1
  const to = isEnd ? bytes.length : bytes.lastIndexOf(newline) + 1
  const original = textOf(bytes.subarray(from, to))
  if (original === undefined) return undefined
  const text = mask.named(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes))
  const [first, last] = [isStart ? 0 : text.indexOf('\n') + 1, isEnd ? text.length : text.lastIndexOf('\n') + 1]
  return { text: text.slice(first, last), original }
}

type ShownLines = { readonly text: string; readonly original: string }

const newline = 0x0a

function placeText({ line, byte, expectedLength, liveLength }: LargeDifference): string {
  const lengths = `${expectedLength} bytes in the repository, ${liveLength} on the host`
  return `Too much differs to be shown: from line ${line} (byte ${byte}) on, ${lengths}\n`
}

function sizesText({ expected, live }: LargeDifference, labels: LargeLabels): string {
  const text = (sign: string, label: string, { size, sha256 }: LargeSide) =>
    `${sign} ${label}: ${size} bytes, sha256 ${sha256}`
  return `${text('---', labels.expected, expected)}\n${text('+++', labels.live, live)}\n`
}
