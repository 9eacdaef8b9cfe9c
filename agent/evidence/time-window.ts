// Defines "at that time": logs have a resolution of one second, and a command is logged when it starts, not when it writes.
import type { OwnApply } from '../../shared/evidence.ts'

export const minuteMs = 60_000

/** An ISO time within a minute of `at`, in ms since the epoch. */
export function isNear(time: string, at: number): boolean {
  return Math.abs(Date.parse(time) - at) <= minuteMs
}

/** An apply without an end was killed and counts for ten minutes. The kernel's inode clock is some ms behind. */
export function wasRunning({ startedAt, endedAt }: OwnApply, at: number): boolean {
  const start = Date.parse(startedAt)
  const end = endedAt === undefined ? start + 10 * minuteMs : Date.parse(endedAt)
  return at >= start - 10 && at <= end
}
