// What differs in a JSON or YAML file, as a finding tells it: secrets masked, and nothing that may be the new value of one. Pure.
import { compact } from '../../shared/compact.ts'
import type { ValueChange } from '../../shared/finding.ts'
import { changesLimit, changeTextLimit } from '../../shared/finding.ts'
import { maskText } from '../../shared/mask-text.ts'
import type { CompareRules } from '../../shared/resource.ts'
import { underRules } from '../document/meaning.ts'
import { type DocumentNode, shownText } from '../document/node.ts'
import { type DocumentFormat, readDocument } from '../document/read.ts'
import { changesBetween, type DocumentChange, isSame } from './changes.ts'
import type { Mask } from './mask.ts'

export type ToldChanges = {
  readonly changes: readonly ValueChange[]
  readonly isCut: boolean
  /** Both say the same: what differs is the order of keys, white space, quotes. */
  readonly isFormatting: boolean
}

export type DocumentSides = {
  readonly format: DocumentFormat
  readonly before: Uint8Array
  readonly after: Uint8Array
  /** Of a file that is judged by what it says: what does not count is not told either. */
  readonly rules?: CompareRules
}

/** Undefined when one of them is no such document, is too much, or nothing may be shown. */
export function toldChanges(
  { format, before, after, rules }: DocumentSides,
  { mask, holdsSecrets }: { readonly mask: Mask; readonly holdsSecrets: boolean },
): ToldChanges | undefined {
  if (holdsSecrets && !mask.isReliable) return undefined
  const sides = [before, after].map((bytes) => readDocument(format, bytes))
  const [one, other] = sides.map((read) => (read.kind === 'read' ? read.documents : undefined))
  if (one === undefined || other === undefined) return undefined
  const [expected, live] = [one, other].map((documents) => (rules ? underRules(documents, rules) : documents))
  if (expected === undefined || live === undefined) return undefined
  if (isSame(expected, live)) return { changes: [], isCut: false, isFormatting: true }
  const { changes, isCut } = changesBetween(expected, live, changesLimit)
  const hidden = holdsSecrets ? secretPlaces(one, mask) : noPlaces
  if (hidden.inKeys) return undefined
  return { changes: changes.map((change) => told(change, mask, hidden)), isCut, isFormatting: false }
}

type SecretPlaces = {
  readonly holdsSecrets: boolean
  /** Keys whose values hold one. */
  readonly keys: ReadonlySet<string>
  /** A key itself holds one. */
  readonly inKeys: boolean
}

const noPlaces: SecretPlaces = { holdsSecrets: false, keys: new Set(), inKeys: false }

function secretPlaces(documents: readonly DocumentNode[], mask: Mask): SecretPlaces {
  const keys = new Set<string>()
  let inKeys = false
  const visit = (node: DocumentNode, key: string): void => {
    if (typeof node === 'string') {
      if (maskedScalar(node, mask) !== node) keys.add(key)
    } else if (node.kind === 'list') for (const item of node.items) visit(item, key)
    else
      for (const [name, value] of node.entries) {
        if (maskedScalar(name, mask) !== name) inKeys = true
        visit(value, name)
      }
  }
  for (const document of documents) visit(document, '')
  return { holdsSecrets: true, keys, inKeys }
}

function told(change: DocumentChange, mask: Mask, places: SecretPlaces): ValueChange {
  const { path, before, after, isOrder } = change
  const text = (node: DocumentNode) => {
    const shown = shownText(node, changeTextLimit, (scalar) => maskedScalar(scalar, mask))
    return cut(mask.text(isOrder ? `in the order ${shown}` : shown))
  }
  const live =
    after !== undefined && mayHoldSecret(change, mask, places) ? `${maskText} (may hold one)` : after && text(after)
  return {
    path: cut(mask.text(path)),
    kind: before === undefined ? 'added' : after === undefined ? 'removed' : 'changed',
    ...(before === undefined ? {} : { expected: text(before) }),
    ...compact({ live }),
  }
}

/** An edited secret is no longer the known value, and one that was put elsewhere is in something new. */
function mayHoldSecret({ before, after, key }: DocumentChange, mask: Mask, places: SecretPlaces): boolean {
  if (!places.holdsSecrets) return false
  if (typeof before !== 'string' || typeof after !== 'string') return true
  return places.keys.has(key) || maskedScalar(before, mask) !== before
}

/** A string is masked as it is read, so that what is written within it is found in its own encoding. */
function maskedScalar(scalar: string, mask: Mask): string {
  if (!scalar.startsWith('"')) return mask.text(scalar)
  const text: unknown = JSON.parse(scalar)
  return mask.text(JSON.stringify(mask.text(String(text))))
}

function cut(text: string): string {
  return text.length <= changeTextLimit ? text : `${text.slice(0, changeTextLimit - 3)}...`
}
