// Two versions of a text -> the places in which they differ, line by line or, within lines, word by word. Pure.
import { diffArrays } from 'diff'
import { editBound } from '../plan/edit-bound.ts'

/** `text` stands in the place of what is from `start` to `end` (offsets) of the older version. */
export type Edit = { readonly start: number; readonly end: number; readonly text: string }

/** In order, apart from each other, each of whole lines. Undefined: too much differs to say what became of what. */
export function lineEdits(before: string, after: string): readonly Edit[] | undefined {
  return editsOf(linesOf(before), linesOf(after))
}

/** The same by words, and within a word without what it begins and ends with in both. */
export function wordEdits(before: string, after: string): readonly Edit[] | undefined {
  const edits = editsOf(wordsOf(before), wordsOf(after))
  return edits?.map((edit) => trimmed(before, edit)).filter(({ start, end, text }) => start < end || text !== '')
}

export function withEdits(before: string, edits: readonly Edit[]): string {
  const parts: string[] = []
  let at = 0
  for (const { start, end, text } of edits) {
    parts.push(before.slice(at, start), text)
    at = end
  }
  return `${parts.join('')}${before.slice(at)}`
}

/** 1-based. */
export function lineAt(text: string, offset: number): number {
  let line = 1
  for (let at = text.indexOf('\n'); at !== -1 && at < offset; at = text.indexOf('\n', at + 1)) line += 1
  return line
}

/** Each with its line break. */
export function linesOf(text: string): readonly string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? []
}

function wordsOf(text: string): readonly string[] {
  return text.match(/[\p{L}\p{N}_]+|\s|[^\p{L}\p{N}_\s]/gu) ?? []
}

function editsOf(before: readonly string[], after: readonly string[]): readonly Edit[] | undefined {
  const parts = diffArrays([...before], [...after], editBound(before.length, after.length))
  if (parts === undefined) return undefined
  const edits: Edit[] = []
  let at = 0
  let open: { readonly start: number; end: number; text: string } | undefined
  for (const { added, removed, value } of parts) {
    const text = value.join('')
    if (!added && !removed) {
      if (open !== undefined) edits.push(open)
      open = undefined
      at += text.length
      continue
    }
    open ??= { start: at, end: at, text: '' }
    if (added) open.text += text
    else {
      at += text.length
      open.end = at
    }
  }
  return open === undefined ? edits : [...edits, open]
}

function trimmed(before: string, { start, end, text }: Edit): Edit {
  const old = before.slice(start, end)
  const most = Math.min(old.length, text.length)
  let head = 0
  while (head < most && old[head] === text[head]) head += 1
  let tail = 0
  while (tail < most - head && old[old.length - 1 - tail] === text[text.length - 1 - tail]) tail += 1
  return { start: start + head, end: end - tail, text: text.slice(head, text.length - tail) }
}
