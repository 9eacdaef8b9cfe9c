// `.env` and the files of `env_file`, as compose 2 reads them. Pure.
import { type ComposeValues, type Interpolated, interpolate } from './compose-variables.ts'

export type EnvironmentFile = {
  readonly values: ComposeValues
  readonly faults: readonly EnvironmentFault[]
}

export type EnvironmentFault = {
  /** 1-based. */
  readonly line: number
  readonly kind: 'unset' | 'required' | 'malformed' | 'unreadable'
  /** The variable's name, the malformed reference, or what is unreadable about the line. */
  readonly name: string
}

/** `given`: what references in it see besides the lines before. */
export function readEnvironment(text: string, given: ComposeValues = new Map()): EnvironmentFile {
  const values = new Map<string, string>()
  // What is given has precedence.
  const known = new Map(given)
  let characters = 0
  const faults: EnvironmentFault[] = []
  let rest = text.replaceAll('\r\n', '\n')
  let line = 1
  while (rest !== '') {
    const entry = entryAt(rest)
    if ('unreadable' in entry)
      return { values, faults: [...faults, { line, kind: 'unreadable', name: entry.unreadable }] }
    if (entry.name !== undefined) {
      const { text: value, ...found } = entry.isLiteral ? literal(entry.value) : interpolate(entry.value, known)
      characters += value.length
      if (characters > valuesLimit) return { values, faults: [...faults, { line, kind: 'unreadable', name: tooLong }] }
      const plain = value.replaceAll(escapedDollar, '$')
      values.set(entry.name, plain)
      if (!given.has(entry.name)) known.set(entry.name, plain)
      const at = (kind: EnvironmentFault['kind']) => (name: string) => ({ line, kind, name })
      faults.push(...found.unset.map(at('unset')), ...found.required.map(at('required')))
      if (found.malformed !== undefined) faults.push(at('malformed')(found.malformed))
    }
    line += rest.slice(0, entry.length).split('\n').length - 1
    rest = rest.slice(entry.length)
  }
  return { values, faults }
}

/** Of all values together: a few lines that double the one before would fill the memory. */
const valuesLimit = 2 * 1024 * 1024
const tooLong = 'with this line, its values are longer than are read'

type Entry = {
  /** Undefined for an empty line, a comment, and a name without a value, which compose looks up elsewhere. */
  readonly name?: string
  readonly value: string
  readonly isLiteral: boolean
  /** Characters up to the next entry. */
  readonly length: number
}

/** Stands for `\$` between double quotes until the references are replaced. */
const escapedDollar = '\uE000'

function literal(text: string): Interpolated {
  return { text, unset: [], required: [] }
}

function entryAt(text: string): Entry | { readonly unreadable: string } {
  const lineEnd = text.indexOf('\n') === -1 ? text.length : text.indexOf('\n') + 1
  const line = text.slice(0, lineEnd)
  const none = { value: '', isLiteral: true, length: lineEnd }
  if (/^\s*(?:#|$)/.test(line)) return none
  const separator = line.search(/[=:]/)
  if (separator === -1) return /^\s*[\w.[\]-]+\s*$/.test(line) ? none : { unreadable: 'it is not NAME=value' }
  const name = line
    .slice(0, separator)
    .replace(/^\s*(?:export\s+)?/, '')
    .trimEnd()
  const start = separator + (/^[=:][^\S\n]*/.exec(line.slice(separator))?.[0].length ?? 1)
  if (!/^[\w.[\]-]*$/.test(name)) return { unreadable: 'its name has other characters than letters, digits and _' }
  const quote = line[start]
  if (quote !== "'" && quote !== '"') {
    const value = line.slice(start).replace(/\n$/, '')
    // A comment needs a space before its mark, and a value before that.
    return { name, value: value.replace(/ #.*$/s, '').trimEnd(), isLiteral: false, length: lineEnd }
  }
  return quotedEntry({ name, text, from: start + 1, quote })
}

type Quoted = { readonly name: string; readonly text: string; readonly from: number; readonly quote: string }

function quotedEntry({ name, text, from, quote }: Quoted): Entry | { readonly unreadable: string } {
  let end = from
  while (end < text.length && text[end] !== quote) end += text[end] === '\\' && end + 1 < text.length ? 2 : 1
  if (end >= text.length) return { unreadable: 'its quote is not closed' }
  const inside = text.slice(from, end)
  const value = quote === "'" ? inside.replaceAll("\\'", "'") : inside.replace(/\\([nrtabfv"\\$])/g, unescaped)
  const behind = /^[^\n]*\n?/.exec(text.slice(end + 1))?.[0] ?? ''
  if (/['"]/.test(behind.replace(/ #.*$/s, ''))) return { unreadable: 'another quote follows the quoted value' }
  return { name, value, isLiteral: quote === "'", length: end + 1 + behind.length }
}

const escapes: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  a: '\x07',
  b: '\b',
  f: '\f',
  v: '\v',
  $: escapedDollar,
}

function unescaped(_: string, character: string): string {
  return escapes[character] ?? character
}
