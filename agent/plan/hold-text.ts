// A hold in the words of the command line; times are this host's own, as people name them.
import type { Hold } from '../../shared/report.ts'
import type { Waits } from './waits.ts'

/** `held by anna@web-1 until 14:00 (the fix of this night)` */
export function holdText({ by, until, why }: Pick<Hold, 'by' | 'until' | 'why'>, now = new Date()): string {
  return `held by ${by} until ${untilText(new Date(until), now)} (${why})`
}

/** `it waits: caddy, which it is after, is held by anna@web-1 until 14:00 (why)` */
export function waitsText({ kind, service, hold }: Waits, now = new Date()): string {
  const held = holdText(hold, now)
  switch (kind) {
    case 'after-held':
      return `it waits: ${service}, which it is after, is ${held}`
    case 'after-waiting':
      return `it waits: ${service}, which it is after, waits for a service that is ${held}`
    case 'takes-over':
      return `it waits: it takes something over from ${service}, which is ${held}`
  }
}

/** `14:00` on the same day, else `2026-11-24 14:00`. */
function untilText(until: Date, now: Date): string {
  const time = `${padded(until.getHours())}:${padded(until.getMinutes())}`
  const day = dayOf(until)
  return day === dayOf(now) ? time : `${day} ${time}`
}

function dayOf(date: Date): string {
  return `${date.getFullYear()}-${padded(date.getMonth() + 1)}-${padded(date.getDate())}`
}

function padded(number: number): string {
  return String(number).padStart(2, '0')
}
