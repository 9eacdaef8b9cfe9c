// What was inflated last, up to so many bytes.

export type RecentBytes<Key, Value extends { readonly bytes: Uint8Array }> = {
  get(key: Key): Value | undefined
  set(key: Key, value: Value): void
}

export function createRecentBytes<Key, Value extends { readonly bytes: Uint8Array }>(
  limitBytes: number,
): RecentBytes<Key, Value> {
  const kept = new Map<Key, Value>()
  let size = 0
  const drop = (key: Key) => {
    size -= kept.get(key)?.bytes.length ?? 0
    kept.delete(key)
  }
  return {
    get: (key) => {
      const value = kept.get(key)
      if (value === undefined) return undefined
      kept.delete(key)
      kept.set(key, value)
      return value
    },
    set: (key, value) => {
      drop(key)
      if (value.bytes.length > limitBytes) return
      kept.set(key, value)
      size += value.bytes.length
      for (const oldest of kept.keys()) {
        if (size <= limitBytes) return
        drop(oldest)
      }
    },
  }
}
