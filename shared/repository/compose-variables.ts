// Variables in the values of a compose file, by compose's own rules: `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME:?error}`,
// `${NAME:+replacement}`, each also without the colon and nested, and `$$` for `$`. Pure; the result equals what
// `docker compose config` makes of the same text (test/lab/compose-values.test.ts).
import { compact } from '../compact.ts'
import type { KeyPath } from './yaml.ts'

/** By name. An empty value is a value: only a name that is not in it is unset. */
export type ComposeValues = ReadonlyMap<string, string>

export type Interpolated = {
  readonly text: string
  /** Names without a value and without a default: compose warns about each and continues with an empty text. */
  readonly unset: readonly string[]
  /** Names of `${NAME:?error}` without a value: compose refuses the file. */
  readonly required: readonly string[]
  /** What compose refuses as a malformed reference: `${1A}`, `${A`. */
  readonly malformed?: string
}

export function interpolate(text: string, values: ComposeValues): Interpolated {
  const found: Found = { unset: new Set(), required: new Set(), values, depth: 0, filled: 0 }
  const replaced = replaceIn(text, found)
  const { malformed } = found
  return {
    text: replaced,
    unset: [...found.unset],
    required: [...found.required],
    ...compact({ malformed }),
  }
}

export type VariableFault = {
  /** Of the value in the compose file. */
  readonly path: KeyPath
  readonly kind: 'unset' | 'required' | 'malformed'
  /** The variable's name, or the malformed reference. */
  readonly name: string
}

/** Of every value below `model`, which is a compose file as YAML reads it; compose leaves keys as they are. */
export function variableFaults(model: unknown, values: ComposeValues): readonly VariableFault[] {
  return textsIn(model).flatMap(({ path, text }) => {
    if (!text.includes('$')) return []
    const { unset, required, malformed } = interpolate(text, values)
    return [
      ...unset.map((name) => ({ path, kind: 'unset' as const, name })),
      ...required.map((name) => ({ path, kind: 'required' as const, name })),
      ...(malformed === undefined ? [] : [{ path, kind: 'malformed' as const, name: malformed }]),
    ]
  })
}

/** Set for every compose run of the agent, whatever `.env` says. */
export const givenVariables = ['COMPOSE_PROJECT_NAME', 'HOME', 'LANG', 'PATH'] as const

export function textsIn(value: unknown, path: KeyPath = []): readonly { path: KeyPath; text: string }[] {
  if (typeof value === 'string') return [{ path, text: value }]
  if (Array.isArray(value)) return value.flatMap((item, index) => textsIn(item, [...path, index]))
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) => textsIn(inner, [...path, key]))
}

type Found = {
  readonly unset: Set<string>
  readonly required: Set<string>
  readonly values: ComposeValues
  depth: number
  malformed?: string
  /** Characters that values put in the place of references. */
  filled: number
}

/** Of references within references; a text that nests more is taken for malformed. */
const depthLimit = 100

const reference = /\$(?:\$|\{|[A-Za-z_][A-Za-z0-9_]*)/g
const inBraces = /^([A-Za-z_][A-Za-z0-9_]*)(?:(:?[-+?])([\s\S]*))?$/

function replaceIn(text: string, found: Found): string {
  let replaced = ''
  let position = 0
  for (const match of text.matchAll(reference)) {
    // Inside braces that were read already.
    if (match.index < position) continue
    replaced += text.slice(position, match.index)
    position = match.index + match[0].length
    if (match[0] === '$$') replaced += '$'
    else if (match[0] !== '${') replaced += plainValue(match[0].slice(1), found)
    else {
      const end = closingBrace(text, position)
      const written = text.slice(match.index, end === -1 ? undefined : end + 1)
      replaced += bracedValue(written, end === -1 ? undefined : written.slice(2, -1), found)
      position = match.index + written.length
    }
  }
  return replaced + text.slice(position)
}

/** Only `${` opens another level: `${A:-{x}}` is the default `{x`, and `}` after it. */
function closingBrace(text: string, from: number): number {
  let depth = 1
  for (let at = from; at < text.length; at += 1) {
    if (text.startsWith('${', at)) depth += 1
    if (text[at] === '}') depth -= 1
    if (depth === 0) return at
  }
  return -1
}

function plainValue(name: string, found: Found): string {
  const value = found.values.get(name)
  if (value === undefined) found.unset.add(name)
  return filled(value ?? '', found)
}

/** Of one text. Beyond it, references stay empty, and the text counts as malformed. */
const filledLimit = 4 * 1024 * 1024

function filled(value: string, found: Found): string {
  found.filled += value.length
  if (found.filled <= filledLimit) return value
  found.malformed ??= tooLong
  return ''
}

const tooLong = 'a text of more than 4 MiB'

/** Compose works out the part behind the operator in any case, and so warns about unset names in it. */
function bracedValue(written: string, inside: string | undefined, found: Found): string {
  const [, name, operator, rest = ''] = (inside === undefined ? null : inBraces.exec(inside)) ?? []
  if (name === undefined || found.depth >= depthLimit) {
    found.malformed ??= written
    return written
  }
  if (operator === undefined) return plainValue(name, found)
  found.depth += 1
  const other = replaceIn(rest, found)
  found.depth -= 1
  const value = found.values.get(name)
  const isGiven = operator.startsWith(':') ? value !== undefined && value !== '' : value !== undefined
  if (operator.endsWith('+')) return isGiven ? other : ''
  if (operator.endsWith('?') && !isGiven) found.required.add(name)
  return isGiven ? filled(value ?? '', found) : operator.endsWith('-') ? other : ''
}
