// A resource kind that only tests have: lines of text on a board that this process holds. It shows what a kind needs to bring.

import { compareAttributes } from '../../../agent/resources/compare.ts'
import type { ResourceKind } from '../../../agent/resources/kind.ts'
import { kinds } from '../../../agent/resources/registry.ts'
import { parseResourceId, type ResourceId, resourceId } from '../../../shared/names.ts'
import type { Resource } from '../../../shared/resource.ts'

export type NoteResource = {
  readonly kind: 'note'
  readonly id: ResourceId
  readonly source: string
  readonly text: string
}

/** By the name of the note. */
export type Board = Map<string, string>

type SavedNote = { readonly name: string; readonly text?: string }

export function noteKind(board: Board): ResourceKind<NoteResource, SavedNote> {
  const nameOf = (id: ResourceId) => parseResourceId(id).name
  const put = (name: string, text: string | undefined) =>
    text === undefined ? board.delete(name) : board.set(name, text)
  return {
    kind: 'note',
    order: 'after-paths',
    needs: undefined,
    correctedByTools: [],
    mayRestartEngine: false,
    isSavedOnce: false,
    isRestoredLast: false,
    attributes: ({ text }) => ({ type: 'note', text }),
    watches: () => ({}),
    observe: async (subjects) =>
      new Map(
        subjects.map(({ id }) => {
          const text = board.get(nameOf(id))
          return [id, { attributes: text === undefined ? { type: 'missing' } : { type: 'note', text } }] as const
        }),
      ),
    compare: ({ desired, baseline }, live) =>
      compareAttributes(desired && { type: 'note', text: desired.text }, baseline?.attributes, live.attributes),
    codes: ({ name, live }) => [
      name === 'type' && live === 'missing' ? 'missing' : name === 'text' ? 'content' : 'other',
    ],
    isAdoptable: () => false,
    notAdopted: { why: 'notes are not adopted', remedy: 'Write it into the repository by hand.' },
    changedAt: async () => '2026-11-23T02:59:00.000Z',
    describe: (id, differences) =>
      `note ${nameOf(id)}: ${differences.map(({ name, live }) => (name === 'type' ? live : `says "${live}"`)).join('; ')}`,
    planText: ({ id, desired }) => (desired === undefined ? `erase note ${nameOf(id)}` : `write note ${nameOf(id)}`),
    stepText: () => 'write notes',
    mustStayUp: () => [],
    isRestoredFirst: () => false,
    save: async (changes) =>
      changes.map(({ id }) => {
        const text = board.get(nameOf(id))
        return { name: nameOf(id), ...(text === undefined ? {} : { text }) }
      }),
    change: async (changes) =>
      changes.map(({ id, desired }) => {
        put(nameOf(id), desired?.text)
        return desired === undefined ? `erased note ${nameOf(id)}` : `wrote note ${nameOf(id)}`
      }),
    restore: async (saved) => {
      for (const { name, text } of saved) put(name, text)
    },
  }
}

/** `Resource` is the union of the product's kinds: to its stages a note is one of them. */
export function note(name: string, text: string): Resource {
  const resource: NoteResource = { kind: 'note', id: resourceId('note', name), source: 'services/web/notes.yaml', text }
  return resource as unknown as Resource
}

/** The kind is in the registry until the returned function is called. */
export function registerNotes(board: Board): () => void {
  const all: Record<string, unknown> = kinds
  all['note'] = noteKind(board)
  return () => {
    delete all['note']
  }
}
