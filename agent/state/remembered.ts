// Caches on disk: small maps of values that are costly to compute and can be recomputed. Not synced; unreadable means empty.
import { z } from 'zod'
import { readIfThere, replaceFile } from '../../shared/platform/durable.ts'

export type Remembered<Value> = {
  get(key: string): Value | undefined
  set(key: string, value: Value): void
  delete(key: string): void
  /** Writes the entries that this process read or set, if they differ from the file; unused entries are dropped. */
  save(): void
}

export function remembered<Value>(path: string, value: z.ZodType<Value>): Remembered<Value> {
  let unused: Map<string, Value> | undefined
  const used = new Map<string, Value>()
  let changed = false
  const others = () => {
    unused ??= read(path, value)
    return unused
  }
  return {
    get: (key) => {
      const known = used.get(key) ?? others().get(key)
      if (known !== undefined && others().delete(key)) used.set(key, known)
      return known
    },
    set: (key, known) => {
      others().delete(key)
      used.set(key, known)
      changed = true
    },
    delete: (key) => {
      const wasUsed = used.delete(key)
      changed = others().delete(key) || wasUsed || changed
    },
    save: () => {
      if (!changed && others().size === 0) return
      replaceFile({ path, content: JSON.stringify(Object.fromEntries(used)) })
      unused = new Map()
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
