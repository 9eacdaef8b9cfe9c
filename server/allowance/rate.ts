// So much at once and so much more a second, for each owner: a bucket that fills again by the clock that only runs forward.

export type RateLimit = { readonly burst: number; readonly perSecond: number }

export type Rate = {
  /** Takes `amount` when it is there. False: nothing was taken. */
  take(owner: string, amount?: number): boolean
  /** Takes it in any case. Milliseconds until the owner is out of debt; 0: at once. */
  spend(owner: string, amount: number): number
}

/** `elapsed` in milliseconds. */
export function createRate({ burst, perSecond }: RateLimit, elapsed: () => number): Rate {
  const buckets = new Map<string, { left: number; at: number }>()
  const bucketOf = (owner: string) => {
    const now = elapsed()
    const bucket = buckets.get(owner) ?? { left: burst, at: now }
    bucket.left = Math.min(burst, bucket.left + ((now - bucket.at) / 1000) * perSecond)
    bucket.at = now
    // Behind all others: the first ones are those that were not used for the longest.
    buckets.delete(owner)
    buckets.set(owner, bucket)
    if (buckets.size > ownersKept) forgetFull(now)
    return bucket
  }
  const forgetFull = (now: number) => {
    for (const [owner, { left, at }] of buckets) {
      const isFull = left + ((now - at) / 1000) * perSecond >= burst
      if (!isFull && buckets.size <= 2 * ownersKept) return
      buckets.delete(owner)
    }
  }
  return {
    take(owner, amount = 1) {
      const bucket = bucketOf(owner)
      if (bucket.left < amount) return false
      bucket.left -= amount
      return true
    },
    spend(owner, amount) {
      const bucket = bucketOf(owner)
      bucket.left -= amount
      return bucket.left >= 0 ? 0 : (-bucket.left / perSecond) * 1000
    },
  }
}

const ownersKept = 10_000
