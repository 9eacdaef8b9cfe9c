// A hold in the words of the command line.
import type { Hold } from '../../shared/report.ts'
import { absoluteTime } from '../../shared/time-text.js'
import type { Waits } from './waits.ts'

/** `held by anna@web-1 until 2026-11-23 14:00:00 UTC (the fix of this night)` */
export function holdText({ by, until, why }: Pick<Hold, 'by' | 'until' | 'why'>): string {
  return `held by ${by} until ${absoluteTime(until)} (${why})`
}

/** `it waits: caddy, which it is after, is held by anna@web-1 until 2026-11-23 14:00:00 UTC (why)` */
export function waitsText({ kind, service, hold }: Waits): string {
  const held = holdText(hold)
  switch (kind) {
    case 'after-held':
      return `it waits: ${service}, which it is after, is ${held}`
    case 'after-waiting':
      return `it waits: ${service}, which it is after, waits for a service that is ${held}`
    case 'takes-over':
      return `it waits: it takes something over from ${service}, which is ${held}`
  }
}
