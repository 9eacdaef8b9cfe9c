// Small maps on disk for what is costly to compute and can be computed again: no sync, and unreadable means empty.
import { z } from 'zod'
import { readIfThere, replaceFile } from './durable.ts'

export type Remembered<Value> = {
  get(key: string): Value | undefined
  set(key: string, value: Value): void
  delete(key: string): void
  /** Writes what this process asked for or set, if that differs from the file; what nobody uses any more is forgotten. */
  save(): void
}

export function remembered<Value>(path: string, value: z.ZodType<Value>): Remembered<Value> {
  let stored: Map<string, Value> | undefined
  const used = new Map<string, Value>()
  let changed = false
  const all = () => {
    stored ??= read(path, value)
    return stored
  }
  return {
    get: (key) => {
      const known = all().get(key)
      if (known !== undefined) used.set(key, known)
      return known
    },
    set: (key, known) => {
      all().set(key, known)
      used.set(key, known)
      changed = true
    },
    delete: (key) => {
      changed = all().delete(key) || changed
      used.delete(key)
    },
    save: () => {
      if (!changed && used.size === all().size) return
      replaceFile({ path, content: JSON.stringify(Object.fromEntries(used)) })
      stored = new Map(used)
      changed = false
    },
  }
}

function read<Value>(path: string, value: z.ZodType<Value>): Map<string, Value> {
  try {
    const entries = z.record(z.string(), value).parse(JSON.parse(readIfThere(path)?.toString('utf8') ?? '{}'))
    return new Map(Object.entries(entries))
  } catch {
    return new Map()
  }
}
