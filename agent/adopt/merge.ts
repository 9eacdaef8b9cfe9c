// Three versions of a text -> one with the changes of both sides. Where both changed the same or adjacent lines, nobody but a person knows what
// is meant. Pure.
// Decision: docs/decisions/2026-11-26-adopt-is-a-merge.md
import { type Edit, lineAt, lineEdits, withEdits } from './edits.ts'

export type Merged =
  | { readonly kind: 'merged'; readonly text: string }
  /** Lines of `ours`. */
  | { readonly kind: 'conflict'; readonly lines: readonly number[] }
  | { readonly kind: 'too-different' }

export type Versions = { readonly base: string; readonly ours: string; readonly theirs: string }

export function mergedText({ base, ours, theirs }: Versions): Merged {
  if (base === ours || ours === theirs) return { kind: 'merged', text: theirs }
  const own = lineEdits(base, ours)
  const other = lineEdits(base, theirs)
  if (own === undefined || other === undefined) return { kind: 'too-different' }
  const fresh = other.filter((edit) => !own.some((one) => isSame(one, edit)))
  const conflicts = own.filter((one) => fresh.some((edit) => touch(one, edit)))
  if (conflicts.length > 0) return { kind: 'conflict', lines: conflicts.map((one) => lineAt(ours, placeIn(one, own))) }
  const all = [...own, ...fresh].toSorted((one, edit) => one.start - edit.start || one.end - edit.end)
  return { kind: 'merged', text: withEdits(base, all) }
}

/** Where an edit of the base stands in what all of them made of it. */
function placeIn(edit: Edit, edits: readonly Edit[]): number {
  const before = edits.filter(({ start }) => start < edit.start)
  return edit.start + before.reduce((sum, { start, end, text }) => sum + text.length - (end - start), 0)
}

function isSame(one: Edit, other: Edit): boolean {
  return one.start === other.start && one.end === other.end && one.text === other.text
}

/** As git does: lines side by side, of which each side changed one, are a conflict too. */
function touch(one: Edit, other: Edit): boolean {
  return one.start <= other.end && other.start <= one.end
}
