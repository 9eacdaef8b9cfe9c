// What a document means under the rules of its service.yaml, as one digest: equal for all that a rule, order or formatting leaves out.
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { type Sha256, sha256Schema } from '../../shared/names.ts'
import type { CompareRules } from '../../shared/resource.ts'
import { type DocumentNode, identityOf } from './node.ts'
import { readDocument } from './read.ts'

export type Meaning =
  | { readonly kind: 'known'; readonly digest: Sha256 }
  | { readonly kind: 'invalid'; readonly line: number; readonly column: number; readonly reason: string }
  | { readonly kind: 'too-much'; readonly reason: string }

export function meaningOf(bytes: Uint8Array, rules: CompareRules): Meaning {
  const read = readDocument(rules.as, bytes)
  if (read.kind !== 'read') return read
  const digest = createHash('sha256')
  for (const document of underRules(read.documents, rules)) digest.update(`${identityOf(document)}\n`)
  return { kind: 'known', digest: sha256Schema.parse(digest.digest('hex')) }
}

/** Remembered with a meaning: under other rules, or from another version of this format, it says nothing. */
export function rulesText({ as, ignore, unordered }: CompareRules): string {
  return JSON.stringify([formatVersion, as, ignore.toSorted(), unordered.toSorted()])
}

/** Undefined: of a version that this agent does not know. */
export function rulesIn(text: string | undefined): CompareRules | undefined {
  if (text === undefined) return undefined
  try {
    const [, as, ignore, unordered] = rulesTextSchema.parse(JSON.parse(text))
    return { as, ignore, unordered }
  } catch {
    return undefined
  }
}

/** To be raised with every change of what is equal to what. */
const formatVersion = 1
const rulesTextSchema = z.tuple([
  z.literal(formatVersion),
  z.enum(['json', 'yaml']),
  z.array(z.string()),
  z.array(z.string()),
])

/** Each document without what is ignored, and with lists without an order sorted. */
export function underRules(
  documents: readonly DocumentNode[],
  { ignore, unordered }: Pick<CompareRules, 'ignore' | 'unordered'>,
): readonly DocumentNode[] {
  const ignoring = ignore.map(pointerParts).map((parts) => ({ parts, change: () => undefined }))
  const sorting = unordered.map(pointerParts).map((parts) => ({ parts, change: sorted }))
  return documents.map((document) => [...ignoring, ...sorting].reduce(changedAt, document))
}

type Rule = { readonly parts: readonly string[]; readonly change: (node: DocumentNode) => DocumentNode | undefined }

/** `/panels/*\/id`: RFC 6901, with `*` for every key or item. */
function pointerParts(pointer: string): readonly string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
}

function changedAt(root: DocumentNode, { parts, change }: Rule): DocumentNode {
  return changedBelow(root, parts, change) ?? root
}

function changedBelow(
  node: DocumentNode,
  [part, ...rest]: readonly string[],
  change: Rule['change'],
): DocumentNode | undefined {
  if (part === undefined) return change(node)
  if (typeof node === 'string') return node
  if (node.kind === 'list') {
    // An item that is ignored still counts as one.
    const items = node.items.map((item, index) =>
      part === '*' || part === String(index) ? (changedBelow(item, rest, change) ?? ignored) : item,
    )
    return { ...node, items }
  }
  const keys =
    part === '*' ? [...node.entries.keys()] : [JSON.stringify(part), part].filter((key) => node.entries.has(key))
  if (keys.length === 0) return node
  const entries = new Map(node.entries)
  for (const key of keys) {
    const changed = changedBelow(entries.get(key) ?? ignored, rest, change)
    if (changed === undefined) entries.delete(key)
    else entries.set(key, changed)
  }
  return { ...node, entries }
}

/** No document can have this text. */
const ignored = '(ignored)'

function sorted(node: DocumentNode): DocumentNode {
  if (typeof node === 'string' || node.kind === 'map') return node
  const items = node.items.toSorted((one, other) => (identityOf(one) < identityOf(other) ? -1 : 1))
  return { ...node, items }
}
