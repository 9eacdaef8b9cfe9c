// A JSON or YAML document as a tree that has no formatting left in it, and the identity of each part of it.
import { hash } from 'node:crypto'

/**
 * A scalar is its canonical text: `"text"`, `1.5`, `true`, `null`, or, of YAML, what readers take for different things, as it is
 * written (`yes`, `0644`). Two scalars are the same when their texts are.
 */
export type DocumentNode = string | ListNode | MapNode

export type ListNode = { readonly kind: 'list'; readonly items: readonly DocumentNode[]; readonly tag?: string }

/** By canonical text of the key. */
export type MapNode = {
  readonly kind: 'map'
  readonly entries: ReadonlyMap<string, DocumentNode>
  readonly tag?: string
}

export type ReadDocument =
  /** JSON is one document, YAML a stream of any number. */
  | { readonly kind: 'read'; readonly documents: readonly DocumentNode[] }
  | { readonly kind: 'invalid'; readonly line: number; readonly column: number; readonly reason: string }
  /** Too much to be judged; it may well be valid. */
  | { readonly kind: 'too-much'; readonly reason: string }

export const documentLimits = {
  jsonBytes: 4 * 1024 * 1024,
  yamlBytes: 1024 * 1024,
  yamlSteps: 400_000,
  depth: 200,
} as const

export class DocumentTooDeep extends Error {
  override readonly name = 'DocumentTooDeep'
}

/** Equal for what differs in formatting and the order of keys alone: of a list or map a digest over what is in it. */
export function identityOf(node: DocumentNode): string {
  if (typeof node === 'string') return node
  const known = identities.get(node)
  if (known !== undefined) return known
  const identity = `#${hash('sha256', contentOf(node), 'hex')}`
  identities.set(node, identity)
  return identity
}

/**
 * Parts are compared with each other again and again. Kept in the module and not in a Memory: nodes never change, so nothing that is
 * computed can show it, and it goes with them.
 */
const identities = new WeakMap<ListNode | MapNode, string>()

function contentOf(node: ListNode | MapNode): string {
  const tag = JSON.stringify(node.tag ?? '')
  if (node.kind === 'list') return `${tag}[${node.items.map(identityOf).join(',')}]`
  const entries = [...node.entries].map(([key, value]) => `${key}:${identityOf(value)}`)
  return `${tag}{${entries.sort().join(',')}}`
}

/** For a person, on one line: `{"a": 1, "b": [true]}`. Nothing is begun any more after `limit` characters. */
export function shownText(node: DocumentNode, limit: number, scalarText: (scalar: string) => string): string {
  if (typeof node === 'string') return scalarText(node)
  const tag = node.tag === undefined ? '' : `${node.tag} `
  let shown = ''
  const show = (name: string, value: DocumentNode) => {
    if (shown.length <= limit)
      shown += `${shown === '' ? '' : ', '}${name}${shownText(value, limit - shown.length, scalarText)}`
  }
  if (node.kind === 'list') for (const item of node.items) show('', item)
  else for (const [key, value] of node.entries) show(`${scalarText(key)}: `, value)
  return node.kind === 'list' ? `${tag}[${shown}]` : `${tag}{${shown}}`
}
