// Where a line of a live file comes from: both contents and a line's number in, its line in what was applied out. Numbers only:
// a line's text may hold a secret.
import { diffArrays } from 'diff'
import { editBound } from './edit-bound.ts'

export type LiveLine =
  /** As it was applied, there as line `applied`. */
  | { readonly kind: 'same'; readonly applied: number }
  /** Changed here: another text stands in the place of line `applied`. */
  | { readonly kind: 'changed'; readonly applied: number }
  /** Added here, behind line `after`; 0 before the first. */
  | { readonly kind: 'added'; readonly after: number }
  | { readonly kind: 'no-such-line'; readonly lines: number }

/** Undefined when the contents are too different to be laid beside each other. */
export function liveLine(applied: Uint8Array, live: Uint8Array, number: number): LiveLine | undefined {
  const there = linesOf(live)
  if (number > there.length) return { kind: 'no-such-line', lines: there.length }
  const before = linesOf(applied)
  const parts = diffArrays([...before], [...there], editBound(before.length, there.length))
  if (parts === undefined) return undefined
  // Of what was applied: lines passed, and how many of them were taken out just here; of the live file: lines passed.
  let [passed, removed, seen] = [0, 0, 0]
  for (const part of parts) {
    if (part.removed) {
      removed += part.count
      continue
    }
    if (number <= seen + part.count) {
      const offset = number - seen
      if (!part.added) return { kind: 'same', applied: passed + removed + offset }
      return offset <= removed
        ? { kind: 'changed', applied: passed + offset }
        : { kind: 'added', after: passed + removed }
    }
    seen += part.count
    if (part.added) continue
    passed += removed + part.count
    removed = 0
  }
  return undefined
}

/** Byte for byte, whatever the encoding is. A last line without its end is a line. */
function linesOf(content: Uint8Array): readonly string[] {
  const lines = Buffer.from(content).toString('latin1').split('\n')
  return lines.at(-1) === '' ? lines.slice(0, -1) : lines
}
