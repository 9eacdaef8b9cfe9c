// Remembers what was made from a revision, which never changes: the last few are kept, promises included.

export type Recent<Value> = (key: string, make: () => Promise<Value>) => Promise<Value>

/** Concurrent askers share one making; one that failed or found nothing is forgotten, it may be there later. */
export function createRecent<Value>(limit: number): Recent<Value> {
  const kept = new Map<string, Promise<Value>>()
  return (key, make) => {
    const known = kept.get(key)
    const value = known ?? make()
    kept.delete(key)
    kept.set(key, value)
    const forget = () => kept.get(key) === value && kept.delete(key)
    if (known === undefined) value.then((made) => made === undefined && forget(), forget)
    const oldest = kept.keys().next()
    if (kept.size > limit && oldest.done !== true) kept.delete(oldest.value)
    return value
  }
}
