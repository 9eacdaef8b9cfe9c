// The one door to the `yaml` package: text -> plain value, with the place of every key and everything wrong with the text.
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Pair,
  parseDocument,
  type YAMLMap,
} from 'yaml'
import type { Place, Problem } from '../problem.ts'
import { invalid, quoted } from './invalid.ts'
import { withoutStackTraces, type YamlLimits, yamlCost } from './yaml-cost.ts'

export type KeyPath = readonly (string | number)[]

export type YamlFile = {
  readonly file: string
  /** Undefined when the text is not YAML or breaks a limit; an empty file is null. */
  readonly value: unknown
  readonly problems: readonly Problem[]
  /** Numbers that lose something when read as numbers: `0640`, `1.10`. */
  readonly inexact: readonly { readonly path: KeyPath; readonly source: string }[]
  /** Of the value at a path, or of what contains it when there is none; with `item`, of that text in the list at the path. */
  placeOf(path: KeyPath, item?: string): Place
  /** Of the key itself, for keys that should not be there. */
  placeOfKey(path: KeyPath): Place
  /** A scalar as it was written, `0640` for the number 640. */
  sourceOf(path: KeyPath): string | undefined
}

const yamlLimits = { values: 500_000, problems: 50 } as const

/** What a dialect allows. `extended`: merge keys (`<<`), tags of its own, and documents behind the first, which are not read. */
export type YamlRules = YamlLimits & {
  readonly aliases: number
  readonly depth: number
  readonly extended: boolean
}

/** Of plumb.yaml and service.yaml. */
const ownRules = { aliases: 100, depth: 12, extended: false } as const

export const composeYamlRules: YamlRules = {
  characters: 1024 * 1024,
  steps: 200_000,
  aliases: 2000,
  depth: 40,
  extended: true,
}

export function readYaml(file: string, text: string, limits: YamlLimits | YamlRules): YamlFile {
  const rules = { ...ownRules, ...limits }
  const refusal = tooCostly(file, text, rules)
  if (refusal !== undefined) return unreadable(file, [refusal])
  const lines = new LineCounter()
  const parsed = () =>
    parseDocument(text, {
      lineCounter: lines,
      prettyErrors: false,
      stringKeys: true,
      // Quadratic in the package (9 s for 20,000 hosts); `mapValue` finds doubled keys in one pass.
      uniqueKeys: false,
      logLevel: 'error',
    })
  const document = withoutStackTraces(parsed)
  const problems = syntaxProblems(file, faultsIn(document, rules), lines)
  return problems.length > 0 ? unreadable(file, problems) : readDocument({ file, document, lines }, rules)
}

/** Before anything is parsed. */
function tooCostly(file: string, text: string, limits: YamlLimits): Problem | undefined {
  const remedy = 'Make it smaller.'
  if (text.length > limits.characters) {
    const message = `the file has ${text.length} characters; at most ${limits.characters} are read`
    return invalid(message, { file }, { remedy })
  }
  const { steps, tooDeepAt } = yamlCost(text)
  if (tooDeepAt !== undefined)
    return invalid('is nested too deeply', placeIn(file, text, tooDeepAt), { remedy: syntaxRemedy })
  if (steps <= limits.steps) return undefined
  const message = `the file has more brackets, colons, commas and lines than are read (${steps}; at most ${limits.steps})`
  return invalid(message, { file }, { remedy })
}

function placeIn(file: string, text: string, offset: number): Place {
  const before = text.slice(0, offset)
  return { file, line: before.split('\n').length, column: offset - before.lastIndexOf('\n') }
}

/** `hosts.web-1.services[2]` */
export function keyText(path: KeyPath): string {
  return path.map((part, index) => (typeof part === 'number' ? `[${part}]` : index === 0 ? part : `.${part}`)).join('')
}

function unreadable(file: string, problems: readonly Problem[]): YamlFile {
  const placeOf = () => ({ file })
  return { file, value: undefined, problems, inexact: [], placeOf, placeOfKey: placeOf, sourceOf: () => undefined }
}

function faultsIn({ errors, warnings }: Document, { extended }: YamlRules) {
  const all = [...errors, ...warnings]
  return extended ? all.filter(({ code }) => code !== 'TAG_RESOLVE_FAILED' && code !== 'MULTIPLE_DOCS') : all
}

function syntaxProblems(file: string, faults: Document['errors' | 'warnings'], lines: LineCounter): readonly Problem[] {
  const byLine = new Map<number, Problem>()
  for (const error of faults) {
    const place = placeAt(file, lines, error.pos[0])
    const line = place.line ?? 0
    if (byLine.has(line) || byLine.size === yamlLimits.problems) continue
    const message =
      error.code === 'RESOURCE_EXHAUSTION' ? 'is nested too deeply' : `is not valid YAML: ${lowerFirst(error.message)}`
    byLine.set(line, invalid(message, place, { remedy: syntaxRemedy }))
  }
  return [...byLine.values()]
}

const syntaxRemedy = 'Look for wrong indentation, or a bracket or quote that is not closed, there or before it.'

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1)
}

function placeAt(file: string, lines: LineCounter, offset: number | undefined): Place {
  if (offset === undefined) return { file }
  const { line, col } = lines.linePos(offset)
  return line > 0 && col > 0 ? { file, line, column: col } : { file }
}

type Parsed = { readonly file: string; readonly document: Document; readonly lines: LineCounter }

function readDocument({ file, document, lines }: Parsed, rules: YamlRules): YamlFile {
  const place = (node: unknown, path: KeyPath): Place => ({
    ...placeAt(file, lines, isNode(node) ? node.range?.[0] : undefined),
    ...(path.length === 0 ? {} : { key: keyText(path) }),
  })
  const problems: Problem[] = []
  const reading: Reading = {
    rules,
    anchors: new Map(),
    pairs: new WeakMap(),
    inexact: [],
    aliases: 0,
    values: 0,
    complain: (message, node, path) => {
      if (problems.length < yamlLimits.problems) problems.push(invalid(message, place(node, path)))
    },
  }
  const value = valueIn(reading, document.contents, [])
  const nodesAt = (path: KeyPath) => find(reading, document.contents, path)
  return {
    file,
    value,
    problems,
    inexact: reading.inexact,
    placeOf: (path, item) => {
      const { value: node } = nodesAt(path)
      const index = item === undefined || !isSeq(node) ? -1 : node.items.findIndex((inner) => textOf(inner) === item)
      const at = index === -1 ? path : [...path, index]
      return place(nodesAt(at).value, at)
    },
    placeOfKey: (path) => place(nodesAt(path).key, path),
    sourceOf: (path) => {
      const node = nodesAt(path).value
      return isScalar(node) ? node.source : undefined
    },
  }
}

type Reading = {
  readonly rules: YamlRules
  readonly anchors: Map<string, unknown>
  /** Of the maps in which a place was looked for. */
  readonly pairs: WeakMap<YAMLMap, ReadonlyMap<string, Pair>>
  readonly inexact: { readonly path: KeyPath; readonly source: string }[]
  readonly complain: (message: string, node: unknown, path: KeyPath) => void
  aliases: number
  values: number
}

/** What `document.toJS()` gives, but bounded, without throwing, and with a complaint for whatever a person cannot have meant. */
function valueIn(reading: Reading, node: unknown, path: KeyPath): unknown {
  reading.values += 1
  if (reading.values > yamlLimits.values || path.length > reading.rules.depth) {
    const message =
      path.length > reading.rules.depth ? 'is nested too deeply' : `has more than ${yamlLimits.values} values`
    reading.complain(message, node, path)
    return undefined
  }
  if (isAlias(node)) return aliasValue(reading, node, path)
  if (isScalar(node) || isSeq(node) || isMap(node)) {
    if (node.anchor !== undefined) reading.anchors.set(node.anchor, node)
    if (isScalar(node)) return scalarValue(reading, node, path)
    if (isSeq(node)) return node.items.map((item, index) => valueIn(reading, item, [...path, index]))
    return mapValue(reading, node.items, path)
  }
  return null
}

function aliasValue(reading: Reading, node: { readonly source: string }, path: KeyPath): unknown {
  reading.aliases += 1
  const target = reading.anchors.get(node.source)
  if (target !== undefined && reading.aliases <= reading.rules.aliases) return valueIn(reading, target, path)
  const message =
    target === undefined
      ? `no anchor ${quoted(`&${node.source}`)} stands before this`
      : `uses more than ${reading.rules.aliases} aliases`
  reading.complain(message, node, path)
  return undefined
}

function scalarValue(reading: Reading, node: { readonly value: unknown; readonly source?: string }, path: KeyPath) {
  const { value, source } = node
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value
  if (typeof value !== 'number') {
    reading.complain('expected text, a number, true or false', node, path)
    return undefined
  }
  if (source !== undefined && source !== String(value)) reading.inexact.push({ path, source })
  return value
}

function mapValue(reading: Reading, items: readonly Pair[], path: KeyPath): Readonly<Record<string, unknown>> {
  const entries = new Map<string, unknown>()
  const merged: unknown[] = []
  for (const { key, value } of items) {
    const name = keyName(reading, key)
    const at = [...path, name ?? '?']
    if (name === '<<' && reading.rules.extended) merged.push(valueIn(reading, value, path))
    else if (name === undefined) reading.complain('expected a key of plain text', key, path)
    else if (name === '__proto__' || name === '<<') reading.complain(`unknown key "${name}"`, key, at)
    else if (entries.has(name)) reading.complain(`the key ${quoted(name)} stands here twice`, key, at)
    else entries.set(name, valueIn(reading, value, at))
  }
  for (const one of merged.flat())
    if (typeof one === 'object' && one !== null)
      for (const [name, value] of Object.entries(one)) if (!entries.has(name)) entries.set(name, value)
  return Object.fromEntries(entries)
}

function keyName(reading: Reading, key: unknown): string | undefined {
  const node = isAlias(key) ? reading.anchors.get(key.source) : key
  if (isScalar(node) && node.anchor !== undefined) reading.anchors.set(node.anchor, node)
  return isScalar(node) && typeof node.value === 'string' ? node.value : undefined
}

/** The nodes at a path, as deep as it exists; aliases are looked through. */
function find(reading: Reading, root: unknown, path: KeyPath): { readonly key: unknown; readonly value: unknown } {
  let found: { readonly key: unknown; readonly value: unknown } = { key: root, value: root }
  for (const part of path) {
    const node = isAlias(found.value) ? reading.anchors.get(found.value.source) : found.value
    const next = childOf(reading, node, part)
    if (next === undefined) return found
    found = next
  }
  return found
}

/** The first of each name. Made once: to search through a map for each of its wrong entries would take the square of them. */
function pairsOf(reading: Reading, map: YAMLMap): ReadonlyMap<string, Pair> {
  const known = reading.pairs.get(map)
  if (known !== undefined) return known
  const pairs = new Map<string, Pair>()
  for (const pair of map.items) {
    const name = keyName(reading, pair.key)
    if (name !== undefined && !pairs.has(name)) pairs.set(name, pair)
  }
  reading.pairs.set(map, pairs)
  return pairs
}

function textOf(node: unknown): unknown {
  return isScalar(node) ? node.value : undefined
}

function childOf(reading: Reading, node: unknown, part: string | number) {
  if (isSeq(node) && typeof part === 'number') {
    const item = node.items[part]
    return item === undefined ? undefined : { key: item, value: item }
  }
  if (!isMap(node)) return undefined
  const pair = pairsOf(reading, node).get(String(part))
  return pair === undefined ? undefined : { key: pair.key, value: isNode(pair.value) ? pair.value : pair.key }
}
