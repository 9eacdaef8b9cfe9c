// What happened to a resource, in words: the same for `plumb why` and for pages.

import type { ResourceEvent } from './resource-event.ts'
import { absoluteTime } from './time-text.js'

/** Without the time: `drifted: /etc/motd: content differs (changed 2026-11-26 12:17:27 UTC; nobody was logged in then)`. */
export function resourceEventText(event: ResourceEvent): string {
  switch (event.kind) {
    case 'applied':
      return `applied at ${event.revision.slice(0, 7)}: ${event.summary}`
    case 'drifted':
      return `drifted: ${differenceText(event)}`
    case 'drifted-on':
      return `drifted further: ${differenceText(event)}`
    case 'put-right':
      return putRightText(event)
    case 'ignored':
      return `drift that the repository ignores (${event.why}): ${event.summary}`
    case 'held':
      return `held by ${event.by} until ${absoluteTime(event.until)}: ${event.why}`
    case 'hold-ended':
      if (event.by !== undefined) return `released by ${event.by}`
      return event.early ? 'released' : 'the hold came to its end'
    case 'left':
      return `the service ${event.service} left the host`
  }
}

function differenceText({ summary, evidence }: { readonly summary: string; readonly evidence?: string }): string {
  return evidence === undefined ? summary : `${summary} (${evidence})`
}

function putRightText({ by, revision }: Extract<ResourceEvent, { kind: 'put-right' }>): string {
  const at = revision === undefined ? '' : ` at ${revision.slice(0, 7)}`
  switch (by) {
    case 'apply':
      return `put right by an apply${at}`
    case 'policy':
      return `put back at once, as its policy says${at}`
    case 'revision':
      return `in sync again${at}: it matches the repository`
    case 'host':
      return 'in sync again: somebody put it back on the host'
  }
}
