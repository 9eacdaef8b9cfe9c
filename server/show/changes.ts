// Says that something was recorded, so that open pages look again. What it was they ask for themselves, with their own rights.
export type Changed = { readonly noun: 'host' | 'service' | 'alert' | 'repository'; readonly name: string }

export type Changes = {
  announce(changed: Changed): void
  /** Returns the way to stop. */
  subscribe(listener: (changed: Changed) => void): () => void
}

export function createChanges(): Changes {
  const listeners = new Set<(changed: Changed) => void>()
  return {
    announce(changed) {
      for (const listener of listeners) listener(changed)
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
