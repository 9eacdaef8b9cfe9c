// Since when what a host reported is no longer known to be so.
import type { EnrolledHost } from '../store/hosts.ts'

/** The agent may miss this many checks, because it applies or the machine is busy, before its numbers count as old. */
const checksMissed = 3
const leastLimitMs = 60_000

export type LastCheck = {
  readonly enrolled: EnrolledHost | undefined
  readonly connected: boolean
  /** ISO 8601: since this server started. */
  readonly checkedAt: string | undefined
}

/**
 * ISO 8601: when the host was last known to be as it is shown. Undefined while it is so now - its agent is connected and has
 * checked lately -, and for a host that never reported.
 */
export function staleSince(last: LastCheck, now: Date, checkEverySeconds: number): string | undefined {
  const { enrolled, connected } = last
  if (enrolled?.reportDigest === undefined) return undefined
  const checkedAt = last.checkedAt ?? enrolled.lastSeenAt
  const limitMs = Math.max(leastLimitMs, checksMissed * checkEverySeconds * 1000)
  return connected && now.getTime() - Date.parse(checkedAt) <= limitMs ? undefined : checkedAt
}
