// What counts as "at that time": logs count whole seconds, and a command is logged when it starts, not when it writes.
export const minuteMs = 60_000

/** An ISO time within a minute of `at`, in ms since the epoch. */
export function isNear(time: string, at: number): boolean {
  return Math.abs(Date.parse(time) - at) <= minuteMs
}
