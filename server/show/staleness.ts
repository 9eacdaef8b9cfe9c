// Since when a host's report is out of date.
import type { EnrolledHost } from '../store/hosts.ts'

/** Checks that the agent may miss, during an apply or on a busy machine, before its report counts as stale. */
const checksMissed = 3
const leastLimitMs = 60_000

export type LastCheck = {
  readonly enrolled: EnrolledHost | undefined
  readonly connected: boolean
  /** ISO 8601: since this server started. */
  readonly checkedAt: string | undefined
}

/**
 * ISO 8601: the last time that the shown state was known to be current. Undefined while it is current (the agent is
 * connected and has checked recently), and for a host that never reported.
 */
export function staleSince(last: LastCheck, now: Date, checkEverySeconds: number): string | undefined {
  const { enrolled, connected } = last
  if (enrolled?.reportDigest === undefined) return undefined
  const checkedAt = last.checkedAt ?? enrolled.lastSeenAt
  const limitMs = Math.max(leastLimitMs, checksMissed * checkEverySeconds * 1000)
  return connected && now.getTime() - Date.parse(checkedAt) <= limitMs ? undefined : checkedAt
}
