// Reads a stream of YAML documents as trees without formatting: comments, quotes, styles and anchors are gone, types are not.
// What YAML 1.1 and 1.2 read differently (`yes`, `0644`, `12:30`) stays as it is written, because both kinds of program read these files.
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  parseAllDocuments,
  Scalar,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml'
import { withoutStackTraces, yamlCost } from '../../shared/repository/yaml-cost.ts'
import { type DocumentNode, DocumentTooDeep, documentLimits, identityOf, type ReadDocument } from './node.ts'

export function readYaml(text: string): ReadDocument {
  const { steps, tooDeepAt } = yamlCost(text)
  if (tooDeepAt !== undefined) return tooMuch(new DocumentTooDeep())
  if (steps > documentLimits.yamlSteps)
    return { kind: 'too-much', reason: 'it has more brackets, colons, commas and lines than are read' }
  const lines = new LineCounter()
  const parsed = withoutStackTraces(() =>
    parseAllDocuments(text, {
      lineCounter: lines,
      prettyErrors: false,
      // Quadratic in the package; doubled keys are found below.
      uniqueKeys: false,
      logLevel: 'error',
    }),
  )
  const documents = Array.isArray(parsed) ? parsed : []
  const [error] = documents.flatMap(({ errors }) => errors)
  if (error?.code === 'RESOURCE_EXHAUSTION') return tooMuch(new DocumentTooDeep())
  if (error !== undefined) return invalidAt(lines, error.pos[0], error.message)
  try {
    return { kind: 'read', documents: documents.map((document) => new YamlReading(document).whole()) }
  } catch (thrown) {
    if (thrown instanceof DocumentTooDeep || thrown instanceof TooManyAliases) return tooMuch(thrown)
    if (thrown instanceof Unexpected) return invalidAt(lines, thrown.at, thrown.message)
    throw thrown
  }
}

function invalidAt(lines: LineCounter, offset: number, message: string): ReadDocument {
  const { line, col } = lines.linePos(offset)
  const reason = `${message.slice(0, 1).toLowerCase()}${message.slice(1)}`
  return { kind: 'invalid', line: Math.max(line, 1), column: Math.max(col, 1), reason }
}

function tooMuch(error: DocumentTooDeep | TooManyAliases): ReadDocument {
  const isDeep = error instanceof DocumentTooDeep
  return {
    kind: 'too-much',
    reason: isDeep ? `it is nested deeper than ${documentLimits.depth}` : 'its aliases make it too large',
  }
}

class Unexpected extends Error {
  readonly at: number

  constructor(reason: string, node: unknown) {
    super(reason)
    this.at = isNode(node) ? (node.range?.[0] ?? 0) : 0
  }
}

class TooManyAliases extends Error {
  override readonly name = 'TooManyAliases'
}

/** Characters and nodes that a document may have once every alias in it is written out. */
const expandedLimit = 8 * documentLimits.yamlBytes

/** `weight`: what it is when written out; `height`: how deep it goes. */
type Sized = { readonly node: DocumentNode; readonly weight: number; readonly height: number }

class YamlReading {
  readonly #document: Document
  /** Those that are complete: an alias within its own anchor is none of them. */
  readonly #anchors = new Map<string, Sized>()

  constructor(document: Document) {
    this.#document = document
  }

  /** A directive may change how all of it is read. */
  whole(): DocumentNode {
    const { node } = this.#sized(this.#document.contents, 0)
    const { explicit, version } = this.#document.directives?.yaml ?? {}
    return explicit === true ? { kind: 'list', items: [node], tag: `%YAML ${version}` } : node
  }

  #sized(node: unknown, depth: number): Sized {
    if (depth >= documentLimits.depth && (isMap(node) || isSeq(node))) throw new DocumentTooDeep()
    if (isAlias(node)) return this.#alias(node, depth)
    const sized = this.#read(node, depth)
    if (sized.weight > expandedLimit) throw new TooManyAliases()
    if ((isScalar(node) || isMap(node) || isSeq(node)) && node.anchor !== undefined)
      this.#anchors.set(node.anchor, sized)
    return sized
  }

  #alias(node: { readonly source: string }, depth: number): Sized {
    const target = this.#anchors.get(node.source)
    if (target === undefined) throw new Unexpected('no anchor of this name ends before it', node)
    if (depth + target.height > documentLimits.depth) throw new DocumentTooDeep()
    return target
  }

  #read(node: unknown, depth: number): Sized {
    if (isMap(node)) return this.#map(node, depth)
    if (isSeq(node)) return this.#list(node, depth)
    const text = isScalar(node) ? scalarText(node) : 'null'
    return { node: text, weight: 1 + text.length, height: 0 }
  }

  #map(node: YAMLMap, depth: number): Sized {
    const entries = new Map<string, DocumentNode>()
    let weight = 1
    let height = 0
    for (const { key, value } of node.items) {
      const name = this.#sized(key, depth + 1)
      const text = keyText(name.node)
      if (entries.has(text)) throw new Unexpected('the same key stands here twice', key)
      const inner = this.#sized(value, depth + 1)
      entries.set(text, inner.node)
      weight += name.weight + inner.weight
      if (weight > expandedLimit) throw new TooManyAliases()
      height = Math.max(height, 1 + inner.height, 1 + name.height)
    }
    return { node: { kind: 'map', entries, ...tagOf(node) }, weight, height }
  }

  #list(node: YAMLSeq, depth: number): Sized {
    let weight = 1
    let height = 0
    const items: DocumentNode[] = []
    for (const item of node.items) {
      const inner = this.#sized(item, depth + 1)
      items.push(inner.node)
      weight += inner.weight
      if (weight > expandedLimit) throw new TooManyAliases()
      height = Math.max(height, 1 + inner.height)
    }
    return { node: { kind: 'list', items, ...tagOf(node) }, weight, height }
  }
}

function keyText(node: DocumentNode): string {
  return typeof node === 'string' ? node : identityOf(node)
}

function tagOf(node: { readonly tag?: string | undefined }): { readonly tag?: string } {
  return node.tag === undefined || node.tag.startsWith('tag:yaml.org,2002:') ? {} : { tag: node.tag }
}

function scalarText(node: Scalar): string {
  const { tag } = tagOf(node)
  const text = untaggedText(node)
  return tag === undefined ? text : `${tag} ${text}`
}

function untaggedText({ value, source, type }: Scalar): string {
  if (value === null) return 'null'
  if (typeof value === 'boolean') return String(value)
  const isPlain = type === undefined || type === Scalar.PLAIN
  if (typeof value === 'string' && !(isPlain && isNoTextToSome(value))) return JSON.stringify(value)
  return source ?? String(value)
}

/** Plain text that some reader takes for a number, a truth value, a time or a merge. */
function isNoTextToSome(plain: string): boolean {
  return plain.length <= longestNumber && notText.some((pattern) => pattern.test(plain))
}

/** The patterns take the square of it. */
const longestNumber = 400

const notText = [
  /^(?:y|n|yes|no|on|off|true|false|null|~|=|<<|)$/i,
  /^[-+]?(?:0b[01_]+|0o[0-7_]+|0x[\da-f_]+)$/i,
  /^[-+]?(?=[\d.]*\d)[\d_]*\.?[\d_]*(?:e[-+]?\d+)?$/i,
  /^[-+]?\.(?:inf|nan)$/i,
  /^[-+]?\d[\d_]*(?::[0-5]?\d)+(?:\.[\d_]*)?$/,
  /^\d{4}-\d\d?-\d\d?(?:[Tt \t].*)?$/,
]
