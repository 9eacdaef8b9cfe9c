// Unified diffs of two versions of a file, masked and bounded; what is not text is told by hash and size.

import { hash } from 'node:crypto'
import { FILE_HEADERS_ONLY, formatPatch, type StructuredPatch, structuredPatch } from 'diff'
import { compact } from '../../shared/compact.ts'
import { type ChangedLines, changedLinesLimit, diffLimitBytes, type MissingDiff } from '../../shared/finding.ts'
import { maskText } from '../../shared/mask-text.ts'
import { withoutKnownSecrets } from '../writing/known-tokens.ts'
import { displayText, type TextEncoding } from './display-text.ts'
import { editBound, lineCount } from './edit-bound.ts'
import type { Mask } from './mask.ts'

export type DiffSide = { readonly label: string; readonly bytes: Uint8Array }

export type DiffOptions = {
  readonly mask: Mask
  /** The first side holds secrets: what was changed beside one of them is not shown either. */
  readonly holdsSecrets: boolean
  readonly limitBytes?: number
}

export type Diff = {
  /** Instead of a diff, that the content is binary, differs in too much or is too large, with hashes and sizes. */
  readonly text: string
  /** A diff was longer than may be carried. */
  readonly cut: boolean
  /** Why `text` is no diff. */
  readonly instead?: MissingDiff
  /** A line that differs is masked. */
  readonly isMasked?: true
  /** Of a side that is not UTF-8. */
  readonly encoding?: TextEncoding
}

/** Undefined when nothing may be shown. */
export function unifiedDiff(before: DiffSide, after: DiffSide, options: DiffOptions): Diff | undefined {
  if (options.holdsSecrets && !options.mask.isReliable) return undefined
  const [old, now] = [before, after].map((side) => shownSide(side, options))
  if (old === undefined || now === undefined) return { text: binaryText(before, after), cut: false, instead: 'binary' }
  const masked = maskedPatch(old, now)
  if (masked === undefined) return { text: tooDifferentText(before, after), cut: false, instead: 'too-different' }
  const text = formatPatch(masked.patch, FILE_HEADERS_ONLY)
  const shown = options.holdsSecrets
    ? withoutNeighbours(text, prefixesOf(options.mask.text(textOf(before.bytes) ?? '')))
    : text
  const encoding = [now, old].map((side) => side.encoding).find((name) => name !== 'UTF-8')
  const isMasked = masked.isMasked || shown !== text
  return {
    ...boundedDiff(shown, options.limitBytes),
    ...(isMasked ? { isMasked } : {}),
    ...compact({ encoding }),
  }
}

/** Undefined: no text. Secrets are looked for in UTF-8: what has other bytes and may hold one is not shown as text. */
function shownSide({ label, bytes }: DiffSide, { mask, holdsSecrets }: DiffOptions): ShownSide | undefined {
  const shown = displayText(bytes)
  if (shown === undefined) return undefined
  const { text, encoding } = shown
  if (encoding === 'UTF-8') return { label, original: text, text: mask.named(text), encoding }
  const asUtf8 = new TextDecoder().decode(bytes)
  if (holdsSecrets || mask.named(asUtf8) !== asUtf8) return undefined
  return { label: `${label} (read as ${encoding})`, original: text, text: mask.named(text), encoding }
}

type ShownSide = LabelledText & { readonly encoding: TextEncoding }

/** `text`: with known values masked; `original`: without. Their lines are the same. */
type LabelledText = { readonly label: string; readonly text: string; readonly original: string }

export type MaskedPatch = { readonly patch: StructuredPatch; readonly isMasked: boolean }

/** Compared first, then freed of what looks like a secret: that one token was exchanged for another is to be seen. */
export function maskedPatch(before: LabelledText, after: LabelledText): MaskedPatch | undefined {
  const options = { context: 3, ...editBound(lineCount(before.text), lineCount(after.text)) }
  const patch = structuredPatch(before.label, after.label, before.text, after.text, '', '', options)
  if (patch === undefined) return undefined
  const [old, now] = [before, after].map(({ text }) => withoutKnownSecrets(text).split('\n'))
  const [oldOriginal, nowOriginal] = [before, after].map(({ original }) => original.split('\n'))
  let isMasked = false
  const hunks = patch.hunks.map((hunk) => {
    let [oldAt, newAt] = [hunk.oldStart - 1, hunk.newStart - 1]
    const lines = hunk.lines.map((line) => {
      const sign = line.slice(0, 1)
      if (sign === '\\') return line
      const shown = sign === '+' ? now?.[newAt] : old?.[oldAt]
      const original = sign === '+' ? nowOriginal?.[newAt] : oldOriginal?.[oldAt]
      if (sign !== ' ' && shown !== original) isMasked = true
      if (sign !== '+') oldAt += 1
      if (sign !== '-') newAt += 1
      return `${sign}${shown ?? ''}`
    })
    return { ...hunk, lines }
  })
  return { patch: { ...patch, hunks }, isMasked }
}

/** Where two texts differ, without a word of them. Undefined: they are none, or too much differs. */
export function changedLines(
  before: Uint8Array,
  after: Uint8Array,
): { readonly lines: readonly ChangedLines[]; readonly isCut: boolean } | undefined {
  const [one, other] = [before, after].map((bytes) => displayText(bytes)?.text)
  if (one === undefined || other === undefined) return undefined
  const options = { context: 0, ...editBound(lineCount(one), lineCount(other)) }
  const patch = structuredPatch('', '', one, other, '', '', options)
  const lines = patch?.hunks.map(({ oldStart, oldLines, newStart, newLines }) => ({
    expected: { start: oldStart, count: oldLines },
    live: { start: newStart, count: newLines },
  }))
  return lines && { lines: lines.slice(0, changedLinesLimit), isCut: lines.length > changedLinesLimit }
}

/** Undefined: a NUL byte, or not UTF-8. */
export function textOf(bytes: Uint8Array): string | undefined {
  if (bytes.includes(0)) return undefined
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

/** What stands on a line before a secret: a line that begins so holds a value of it, whatever the value is now. */
function prefixesOf(masked: string): readonly string[] {
  return masked
    .split('\n')
    .filter((line) => line.includes(maskText))
    .map((line) => line.slice(0, line.indexOf(maskText)).trim())
    .filter((prefix) => prefix.length >= 3)
}

/** An edited secret is no longer the known value, and most of it may be as before. */
function withoutNeighbours(patch: string, prefixes: readonly string[]): string {
  const lines = patch.split('\n')
  const shown: string[] = []
  for (let start = 0; start < lines.length; ) {
    const end = endOfRun(lines, start)
    const run = lines.slice(start, end)
    const isTouched =
      start > 1 &&
      (run.some((line) => line.startsWith('-') && line.includes(maskText)) ||
        // A line of a value of many lines: what was added beside it may be one of them, edited.
        [lines[start - 1], lines[end]].some((line) => line?.slice(1).trim() === maskText))
    for (const [index, line] of run.entries()) {
      const isHeader = start + index < 2
      const isAdded = !isHeader && line.startsWith('+')
      const holds = isTouched || prefixes.some((prefix) => line.slice(1).trim().startsWith(prefix))
      shown.push(isAdded && holds ? `+${maskText} (a changed line that may hold one)` : line)
    }
    start = end
  }
  return shown.join('\n')
}

/** Lines of one change, removed and added, or a single other line. */
function endOfRun(lines: readonly string[], start: number): number {
  let end = start
  while (end >= 2 && /^[-+\\]/.test(lines[end] ?? '')) end += 1
  return Math.max(end, start + 1)
}

/** Cut at the end of a line. */
export function boundedDiff(patch: string, limitBytes = diffLimitBytes): Diff {
  const bytes = Buffer.from(patch)
  if (bytes.length <= limitBytes) return { text: patch, cut: false }
  const end = bytes.lastIndexOf('\n', limitBytes - 1)
  return { text: bytes.subarray(0, end + 1).toString('utf8'), cut: true }
}

function binaryText(before: DiffSide, after: DiffSide): string {
  return `Binary content differs\n${sideText('---', before)}\n${sideText('+++', after)}\n`
}

function tooDifferentText(before: DiffSide, after: DiffSide): string {
  return `Too much differs to be shown\n${sideText('---', before)}\n${sideText('+++', after)}\n`
}

function sideText(sign: string, { label, bytes }: DiffSide): string {
  return `${sign} ${label}: ${bytes.length} bytes, sha256 ${hash('sha256', bytes, 'hex')}`
}
