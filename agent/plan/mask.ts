// Values of secrets never leave the host: they are taken out of both sides before anything is compared or shown.
import { maskText } from '../../shared/mask-text.ts'
import { withoutKnownSecrets } from '../writing/known-tokens.ts'
import { isCommonWord } from './common-words.ts'
import { formsOf } from './mask-forms.ts'

export type Mask = {
  /**
   * The text with every known value, its encodings (mask-forms.ts) and the lines of a multi-line value replaced, also where they go
   * over several lines, wrapped or folded; and tokens and private keys that are known by their form. Line breaks stay.
   */
  text(text: string): string
  /** The same of a sentence of our own, in which a value that is a common word (common-words.ts) may well be meant as that word. */
  sentence(text: string): string
  /** The known values alone: what looks like a secret may be none. */
  named(text: string): string
  /** False: a value is too short to be found reliably, so what holds it is not shown at all. */
  readonly isReliable: boolean
}

/** Shorter values would replace half of every text. */
const shortest = 4

export function maskFor(values: Iterable<string>): Mask {
  const all = [...values].filter((value) => value !== '')
  const isReliable = all.every((value) => value.trim().length >= shortest)
  const named = withoutValues(all)
  const uncommon = all.filter((value) => !isCommonWord(value))
  const inSentences = uncommon.length === all.length ? named : withoutValues(uncommon)
  return {
    named,
    text: (text) => withoutKnownSecrets(named(text)),
    sentence: (text) => withoutKnownSecrets(inSentences(text)),
    isReliable,
  }
}

function withoutValues(values: readonly string[]): Mask['named'] {
  const forms = byStart(values.flatMap((value) => formsOf(value, shortest)))
  if (forms.size === 0) return (text) => text
  const without = (text: string, breaks: RegExp) => masked(text, rangesIn(text, forms, breaks))
  // A backslash at the end of a line may continue it, or be of the value.
  return (plain) => {
    const once = without(plain, betweenBreaks)
    return once.includes('\\\n') || once.includes('\\\r') ? without(once, betweenContinuations) : once
  }
}

const betweenBreaks = /\S+/g
const betweenContinuations = /(?:[^\s\\]|\\(?!\r?\n))+/g

/** Forms by their first characters, so that a text is gone through once however many there are. */
type Forms = ReadonlyMap<string, readonly string[]>

function byStart(all: readonly string[]): Forms {
  const forms = new Map<string, string[]>()
  for (const form of new Set(all)) {
    const start = form.slice(0, shortest)
    const same = forms.get(start)
    if (same === undefined) forms.set(start, [form])
    else same.push(form)
  }
  return forms
}

type Range = { readonly start: number; end: number }

/** In order, joined where they touch. */
function rangesIn(text: string, forms: Forms, parts: RegExp): readonly Range[] {
  const { compact, places } = joined(text, parts)
  const ranges: Range[] = []
  for (let at = 0; at + shortest <= compact.length; at += 1) {
    const candidates = forms.get(compact.slice(at, at + shortest))
    if (candidates === undefined) continue
    const longest = Math.max(
      0,
      ...candidates.filter((form) => compact.startsWith(form, at)).map(({ length }) => length),
    )
    if (longest === 0) continue
    const start = places[at] ?? 0
    const end = (places[at + longest - 1] ?? start) + 1
    const last = ranges.at(-1)
    if (last !== undefined && start <= last.end) last.end = Math.max(last.end, end)
    else ranges.push({ start, end })
  }
  return ranges
}

/** The parts alone, with the place of each of their characters. */
function joined(text: string, between: RegExp): { readonly compact: string; readonly places: Uint32Array } {
  const places = new Uint32Array(text.length)
  const parts: string[] = []
  let length = 0
  for (const { 0: part, index } of text.matchAll(between)) {
    parts.push(part)
    for (let offset = 0; offset < part.length; offset += 1) places[length + offset] = index + offset
    length += part.length
  }
  return { compact: parts.join(''), places }
}

/** What is of one line becomes one mask; breaks and the white space around them stay. */
function masked(text: string, ranges: readonly Range[]): string {
  const parts: string[] = []
  let from = 0
  for (const { start, end } of ranges) {
    parts.push(text.slice(from, start), text.slice(start, end).replace(/[^\s][^\r\n]*/g, maskText))
    from = end
  }
  return `${parts.join('')}${text.slice(from)}`
}
