// What differs between two documents, value by value: `panels[3].targets[0].expr`, whatever order and formatting they have. Pure.
import { type DocumentNode, identityOf, type ListNode, type MapNode } from '../document/node.ts'
import { aligned } from './align.ts'

/** Before any mask: for nobody's eyes yet. */
export type DocumentChange = {
  readonly path: string
  /** The nearest key of a map above the value, as canonical text. */
  readonly key: string
  /** One of them is undefined where the value was added or removed. */
  readonly before: DocumentNode | undefined
  readonly after: DocumentNode | undefined
  /** The same items in another order: `before` and `after` are what names them. */
  readonly isOrder: boolean
}

export type Changes = { readonly changes: readonly DocumentChange[]; readonly isCut: boolean }

export function changesBetween(
  before: readonly DocumentNode[],
  after: readonly DocumentNode[],
  limit: number,
): Changes {
  const found: Found = { changes: [], limit, isCut: false }
  for (let index = 0; index < Math.max(before.length, after.length); index += 1) {
    const isOnly = before.length <= 1 && after.length <= 1
    const path = isOnly ? '' : `document ${index + 1}`
    between(before[index], after[index], { path, key: '', isDocument: !isOnly }, found)
  }
  return { changes: found.changes, isCut: found.isCut }
}

export function isSame(before: readonly DocumentNode[], after: readonly DocumentNode[]): boolean {
  return before.map(identityOf).join('\n') === after.map(identityOf).join('\n')
}

type Found = { readonly changes: DocumentChange[]; readonly limit: number; isCut: boolean }
/** `isDocument`: the path is the number of one of several documents, and not yet of a value in it. */
type Place = { readonly path: string; readonly key: string; readonly isDocument?: boolean }

function between(before: DocumentNode | undefined, after: DocumentNode | undefined, at: Place, found: Found): void {
  if (found.isCut || before === after) return
  if (before === undefined || after === undefined) add({ before, after }, at, found)
  else if (identityOf(before) === identityOf(after)) return
  else if (typeof before === 'string' || typeof after === 'string') add({ before, after }, at, found)
  else if (before.tag !== after.tag) add({ before, after }, at, found)
  else if (before.kind === 'map' && after.kind === 'map') betweenMaps(before, after, at, found)
  else if (before.kind === 'list' && after.kind === 'list') betweenLists(before, after, at, found)
  else add({ before, after }, at, found)
}

function betweenMaps(before: MapNode, after: MapNode, at: Place, found: Found): void {
  for (const key of new Set([...before.entries.keys(), ...after.entries.keys()]))
    between(before.entries.get(key), after.entries.get(key), { path: `${at.path}${keyPart(key, at)}`, key }, found)
}

function betweenLists(before: ListNode, after: ListNode, at: Place, found: Found): void {
  const { pairs, order } = aligned(before, after)
  const named = (items: readonly string[]) => ({ kind: 'list', items }) as const
  if (order !== undefined) add({ before: named(order.before), after: named(order.after), isOrder: true }, at, found)
  for (const pair of pairs) {
    // As the host has it, where it has it.
    const path = `${at.path}[${pair.after ?? pair.before}]`
    between(itemAt(before, pair.before), itemAt(after, pair.after), { path, key: at.key }, found)
  }
}

function itemAt({ items }: ListNode, index: number | undefined): DocumentNode | undefined {
  return index === undefined ? undefined : items[index]
}

/** `"expr"` -> `.expr`; a key that is no plain word stays in quotes. */
function keyPart(key: string, { path, isDocument }: Place): string {
  const word = /^"([A-Za-z_$][\w$-]*)"$/.exec(key)?.[1]
  const within = isDocument ? ': ' : ''
  if (word === undefined) return `${within}[${key}]`
  return path === '' || within !== '' ? `${within}${word}` : `.${word}`
}

type Told = Pick<DocumentChange, 'before' | 'after'> & { readonly isOrder?: boolean }

function add({ before, after, isOrder = false }: Told, { path, key }: Place, found: Found): void {
  if (found.changes.length === found.limit) found.isCut = true
  else found.changes.push({ path: path === '' ? wholeDocument : path, key, before, after, isOrder })
}

const wholeDocument = '(the whole document)'
