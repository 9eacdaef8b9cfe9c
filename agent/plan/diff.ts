// Unified diffs of two versions of a file, masked and bounded; what is not text is told by hash and size.
import { hash } from 'node:crypto'
import { createTwoFilesPatch, FILE_HEADERS_ONLY } from 'diff'
import { diffLimitBytes } from '../../shared/finding.ts'
import { maskText } from '../../shared/mask-text.ts'
import type { Mask } from './mask.ts'

export type DiffSide = { readonly label: string; readonly bytes: Uint8Array }

export type DiffOptions = {
  readonly mask: Mask
  /** The first side holds secrets: what was changed beside one of them is not shown either. */
  readonly holdsSecrets: boolean
  readonly limitBytes?: number
}

/** Beyond them there is no diff. */
export const editLimits = { maxEditLength: 20_000, timeout: 2000 } as const

export type Diff = { readonly text: string; readonly cut: boolean }

/** Undefined when nothing may be shown. */
export function unifiedDiff(before: DiffSide, after: DiffSide, options: DiffOptions): Diff | undefined {
  if (options.holdsSecrets && !options.mask.isReliable) return undefined
  const texts = [before, after].map(({ bytes }) => textOf(bytes))
  const [one, other] = texts
  if (one === undefined || other === undefined) return { text: binaryText(before, after), cut: false }
  const old = options.mask.text(one)
  const patch = createTwoFilesPatch(before.label, after.label, old, options.mask.text(other), '', '', {
    context: 3,
    headerOptions: FILE_HEADERS_ONLY,
    ...editLimits,
  })
  if (patch === undefined) return { text: tooDifferentText(before, after), cut: true }
  const shown = options.holdsSecrets ? withoutNeighbours(patch, prefixesOf(old)) : patch
  return boundedDiff(shown, options.limitBytes)
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
