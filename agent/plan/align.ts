// Which item of one list is which of another: by a key that names them when they have one, else by what is the same in both.
import { diffArrays } from 'diff'
import { type DocumentNode, identityOf, type ListNode, type MapNode } from '../document/node.ts'

/** Positions in both lists, of the same item; one is undefined where the other list has it alone. */
export type Pair = { readonly before?: number; readonly after?: number }

export type Alignment = {
  readonly pairs: readonly Pair[]
  /** The items that both have, by what names them, when they stand in another order. */
  readonly order?: { readonly before: readonly string[]; readonly after: readonly string[] }
}

export function aligned(before: ListNode, after: ListNode): Alignment {
  const name = nameOf(before.items, after.items)
  if (name === undefined) return { pairs: bySameness(before.items, after.items) }
  return byName(namesOf(before.items, name), namesOf(after.items, name))
}

/** What programs name items by, the surest first. */
const namingKeys = ['"uid"', '"id"', '"name"', '"key"', '"refId"', '"host"'] as const
/** Of two long runs of different items, not each is compared with each. */
const matchedItems = 50
/** Bounds the work: length times edits. */
const workLimit = 5_000_000

/** One that every item of both lists has, and no two of a list alike. */
function nameOf(before: readonly DocumentNode[], after: readonly DocumentNode[]): string | undefined {
  if (before.length === 0 || after.length === 0) return undefined
  return namingKeys.find((key) => {
    const both = [namesOf(before, key), namesOf(after, key)]
    return both.every((names) => !names.includes('') && new Set(names).size === names.length)
  })
}

/** Empty where an item has no such name. */
function namesOf(items: readonly DocumentNode[], key: string): readonly string[] {
  return items.map((item) => {
    const name = typeof item === 'string' || item.kind === 'list' ? undefined : item.entries.get(key)
    return typeof name === 'string' && name !== 'null' ? name : ''
  })
}

function byName(before: readonly string[], after: readonly string[]): Alignment {
  const places = new Map(after.map((name, index) => [name, index]))
  const had = new Set(before)
  const pairs: Pair[] = before.map((name, index) => {
    const place = places.get(name)
    return place === undefined ? { before: index } : { before: index, after: place }
  })
  const added = after.flatMap((name, index): Pair[] => (had.has(name) ? [] : [{ after: index }]))
  const kept = before.filter((name) => places.has(name))
  const keptAfter = after.filter((name) => had.has(name))
  const isMoved = kept.some((name, index) => keptAfter[index] !== name)
  return { pairs: [...pairs, ...added], ...(isMoved ? { order: { before: kept, after: keptAfter } } : {}) }
}

function bySameness(before: readonly DocumentNode[], after: readonly DocumentNode[]): readonly Pair[] {
  const edits = Math.min(2000, Math.ceil(workLimit / (before.length + after.length + 1)))
  const parts = diffArrays(before.map(identityOf), after.map(identityOf), { maxEditLength: edits })
  if (parts === undefined) return byPlace(before.length, after.length)
  const pairs: Pair[] = []
  const at = { before: 0, after: 0 }
  const run: Run = { removed: [], added: [] }
  for (const { removed, added, count = 0 } of parts) {
    for (let left = count; left > 0; left -= 1) {
      if (removed) run.removed.push(at.before++)
      else if (added) run.added.push(at.after++)
      else {
        pairs.push(...paired(run, before, after), { before: at.before++, after: at.after++ })
      }
    }
  }
  return [...pairs, ...paired(run, before, after)]
}

function byPlace(before: number, after: number): readonly Pair[] {
  return Array.from({ length: Math.max(before, after) }, (_, index) => ({
    ...(index < before ? { before: index } : {}),
    ...(index < after ? { after: index } : {}),
  }))
}

type Run = { readonly removed: number[]; readonly added: number[] }

/** Of items that stand in each other's place, those that are most alike belong together. Empties the run. */
function paired(run: Run, before: readonly DocumentNode[], after: readonly DocumentNode[]): readonly Pair[] {
  const removed = run.removed.splice(0)
  const added = run.added.splice(0)
  if (removed.length > matchedItems || added.length > matchedItems)
    return byPlace(removed.length, added.length).map((pair) => ({
      ...(pair.before === undefined ? {} : { before: removed[pair.before] ?? 0 }),
      ...(pair.after === undefined ? {} : { after: added[pair.after] ?? 0 }),
    }))
  const isOne = removed.length === 1 && added.length === 1
  const pairs = removed.map((index): Pair => {
    const like =
      isOne && kindOf(before[index]) === kindOf(after[added[0] ?? 0]) ? added[0] : mostLike(before[index], added, after)
    if (like === undefined) return { before: index }
    added.splice(added.indexOf(like), 1)
    return { before: index, after: like }
  })
  return [...pairs, ...added.map((index) => ({ after: index }))]
}

function mostLike(
  item: DocumentNode | undefined,
  candidates: readonly number[],
  after: readonly DocumentNode[],
): number | undefined {
  let best: { readonly index: number; readonly likeness: number } | undefined
  for (const index of candidates) {
    const likeness = likenessOf(item, after[index])
    if (likeness > (best?.likeness ?? 0)) best = { index, likeness }
  }
  return best?.index
}

/** 0: they have nothing to do with each other. Scalars and lists in each other's place are versions of one another. */
function likenessOf(one: DocumentNode | undefined, other: DocumentNode | undefined): number {
  if (one === undefined || other === undefined || kindOf(one) !== kindOf(other)) return 0
  return isMap(one) && isMap(other) ? sharedEntries(one, other) : 1
}

function sharedEntries(one: MapNode, other: MapNode): number {
  return [...one.entries].filter(([key, value]) => {
    const there = other.entries.get(key)
    return there !== undefined && identityOf(there) === identityOf(value)
  }).length
}

function isMap(node: DocumentNode): node is MapNode {
  return kindOf(node) === 'map'
}

function kindOf(node: DocumentNode | undefined): 'scalar' | 'list' | 'map' | 'nothing' {
  return node === undefined ? 'nothing' : typeof node === 'string' ? 'scalar' : node.kind
}
