// Reads JSON without losing anything: numbers keep all their digits, a key that stands twice is an error, and errors have a place.
// JSON.parse does neither; RFC 8259 does not say which of two equal keys a program takes.
// Decision: docs/decisions/2026-11-26-meaning-beside-bytes.md
import { type DocumentNode, DocumentTooDeep, documentLimits, type ReadDocument } from './node.ts'
import { canonicalNumber } from './number.ts'

export function readJson(text: string): ReadDocument {
  const reading = new JsonReading(text)
  try {
    return { kind: 'read', documents: [reading.whole()] }
  } catch (error) {
    if (error instanceof DocumentTooDeep)
      return { kind: 'too-much', reason: `it is nested deeper than ${documentLimits.depth}` }
    if (!(error instanceof Unexpected)) throw error
    return { kind: 'invalid', ...placeIn(text, error.at), reason: error.message }
  }
}

/** 1-based. */
function placeIn(text: string, at: number): { readonly line: number; readonly column: number } {
  const before = text.slice(0, at)
  return { line: before.split('\n').length, column: at - before.lastIndexOf('\n') }
}

class Unexpected extends Error {
  readonly at: number

  constructor(reason: string, at: number) {
    super(reason)
    this.at = at
  }
}

const space = /[ \t\n\r]*/y
const word = /true|false|null/y
const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?/y
// biome-ignore lint/suspicious/noControlCharactersInRegex: those that a string of JSON may not hold.
const string = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y
const plainString = /^[^\\\ud800-\udfff]*$/

class JsonReading {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text.startsWith('\ufeff') ? ` ${text.slice(1)}` : text
  }

  whole(): DocumentNode {
    const value = this.#value(0)
    if (this.#next() !== '') throw this.#unexpected('the end')
    return value
  }

  #value(depth: number): DocumentNode {
    switch (this.#next()) {
      case '{':
        return this.#map(depth)
      case '[':
        return this.#list(depth)
      case '"':
        return this.#string()
      default:
        return this.#scalar()
    }
  }

  #map(depth: number): DocumentNode {
    if (depth >= documentLimits.depth) throw new DocumentTooDeep()
    const entries = new Map<string, DocumentNode>()
    this.#at += 1
    if (this.#taken('}')) return { kind: 'map', entries }
    do {
      if (this.#next() !== '"') throw this.#unexpected('a key in quotes')
      const start = this.#at
      const key = this.#string()
      if (entries.has(key)) throw new Unexpected('the same key stands here twice', start)
      if (!this.#taken(':')) throw this.#unexpected('a colon')
      entries.set(key, this.#value(depth + 1))
    } while (this.#taken(','))
    if (!this.#taken('}')) throw this.#unexpected('a comma or }')
    return { kind: 'map', entries }
  }

  #list(depth: number): DocumentNode {
    if (depth >= documentLimits.depth) throw new DocumentTooDeep()
    const items: DocumentNode[] = []
    this.#at += 1
    if (this.#taken(']')) return { kind: 'list', items }
    do items.push(this.#value(depth + 1))
    while (this.#taken(','))
    if (!this.#taken(']')) throw this.#unexpected('a comma or ]')
    return { kind: 'list', items }
  }

  #string(): string {
    const written = this.#match(string)
    if (written === undefined)
      throw new Unexpected('a string that does not end, or holds what has to be escaped', this.#at)
    return plainString.test(written) ? written : JSON.stringify(JSON.parse(written))
  }

  #scalar(): string {
    const written = this.#match(word)
    if (written !== undefined) return written
    const digits = this.#match(number)
    if (digits === undefined) throw this.#unexpected('a value')
    return canonicalNumber(digits)
  }

  #taken(character: string): boolean {
    const isNext = this.#next() === character
    if (isNext) this.#at += 1
    return isNext
  }

  /** The next character that is no white space; empty at the end. */
  #next(): string {
    this.#match(space)
    return this.#text.charAt(this.#at)
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0]
    if (found !== undefined) this.#at += found.length
    return found
  }

  #unexpected(wanted: string): Unexpected {
    return new Unexpected(
      this.#at >= this.#text.length ? `it ends where ${wanted} should be` : `expected ${wanted}`,
      this.#at,
    )
  }
}
