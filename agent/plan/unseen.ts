// What differs between two texts and cannot be seen in their diff. Pure.
import type { Unseen, UnseenKind } from '../../shared/unseen.ts'
import { displayText } from './display-text.ts'

/** Undefined when there is nothing of this kind, or one of them is no text. */
export function unseenBetween(before: Uint8Array, after: Uint8Array): Unseen | undefined {
  const [expected, live] = [displayText(before), displayText(after)]
  if (expected === undefined || live === undefined) return undefined
  const kinds = new Set<UnseenKind>()
  if (expected.encoding !== live.encoding) kinds.add('encoding')
  for (const { has, added, removed } of properties) {
    const [was, is] = [has(expected.text), has(live.text)]
    if (was !== is) kinds.add(is ? added : removed)
  }
  const [one, other] = [linesOf(expected.text), linesOf(live.text)]
  const isSameLength = one.length === other.length
  let isAll = isSameLength
  for (const [index, line] of isSameLength ? one.entries() : []) {
    const found = betweenLines(line, other[index] ?? { text: '', isCrlf: false })
    for (const kind of found ?? []) kinds.add(kind)
    isAll &&= found !== undefined
  }
  return kinds.size === 0 ? undefined : { kinds: [...kinds], isAll }
}

type Property = {
  readonly has: (text: string) => boolean
  readonly added: UnseenKind
  readonly removed: UnseenKind
}

/** Of a text as a whole. */
const properties: readonly Property[] = [
  { has: (text) => text.startsWith('\ufeff'), added: 'byte-order-mark-added', removed: 'byte-order-mark-removed' },
  { has: (text) => text.endsWith('\n'), added: 'final-newline-added', removed: 'final-newline-removed' },
  { has: (text) => text.includes('\r\n'), added: 'line-ends-crlf', removed: 'line-ends-lf' },
]

type Line = { readonly text: string; readonly isCrlf: boolean }

/** The end of the last line is a matter of its own. */
function linesOf(text: string): readonly Line[] {
  const lines = text.replace(/^\ufeff/, '').split('\n')
  if (lines.at(-1) === '') lines.pop()
  return lines.map((line) => ({ text: line.replace(/\r$/, ''), isCrlf: line.endsWith('\r') }))
}

type Rule = { readonly kind: UnseenKind; readonly without: (line: string) => string }

/** Each makes alike what looks alike. */
const rules: readonly Rule[] = [
  { kind: 'no-break-space', without: (line) => line.replace(/[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]/g, ' ') },
  { kind: 'zero-width', without: (line) => line.replace(/[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g, '') },
  { kind: 'unicode-form', without: (line) => line.normalize('NFC') },
  // How many spaces stand for a tab is anybody's choice.
  { kind: 'tabs', without: (line) => line.replace(/[ \t]*\t[ \t]*|[ ]{2,}/g, ' ') },
  { kind: 'trailing-space', without: (line) => line.replace(/[ \t\u00a0\r]+$/, '') },
]

/** Undefined: something else differs as well. */
function betweenLines(before: Line, after: Line): readonly UnseenKind[] | undefined {
  const ends: readonly UnseenKind[] =
    before.isCrlf === after.isCrlf ? [] : [after.isCrlf ? 'line-ends-crlf' : 'line-ends-lf']
  const [one, other] = [before.text, after.text]
  if (one === other) return ends
  const tabs = one.includes('\t') !== other.includes('\t')
  const applied = rules.filter(({ kind }) => kind !== 'tabs' || tabs)
  const alike = (without?: Rule) => {
    const rest = applied.filter((rule) => rule !== without)
    const [left, right] = [one, other].map((line) => rest.reduce((text, rule) => rule.without(text), line))
    return left === right
  }
  return alike() ? [...ends, ...applied.filter((rule) => !alike(rule)).map(({ kind }) => kind)] : undefined
}
