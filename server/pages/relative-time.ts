// How long ago, or how long until, in the fewest words. live.js repeats these rules in the browser to keep a page fresh.

const minute = 60
const hour = 60 * minute
const day = 24 * hour

/** `just now`, `40 s ago`, `3 min ago`, `in 29 min`; older than 90 days: the date. */
export function relativeTime(at: Date, now: Date): string {
  const seconds = Math.round((now.getTime() - at.getTime()) / 1000)
  const distance = Math.abs(seconds)
  if (distance < 10) return 'just now'
  if (distance >= 90 * day) return at.toISOString().slice(0, 10)
  return seconds < 0 ? `in ${lengthOf(distance)}` : `${lengthOf(distance)} ago`
}

/** `2026-11-23 03:12:45 UTC` */
export function absoluteTime(at: Date): string {
  return `${at.toISOString().slice(0, 19).replace('T', ' ')} UTC`
}

function lengthOf(seconds: number): string {
  if (seconds < minute) return `${seconds} s`
  if (seconds < hour) return `${Math.floor(seconds / minute)} min`
  if (seconds < 2 * day) return `${Math.floor(seconds / hour)} h`
  return `${Math.floor(seconds / day)} d`
}
