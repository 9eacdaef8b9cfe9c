// What an open page must reload after an event. Sends names only: the page fetches the content with its reader's rights. Pure.
import type { ServerEvent } from '../app/events.ts'

export type Changed = { readonly noun: 'host' | 'service' | 'alert' | 'repository'; readonly name: string }

/** Events that change what pages show. */
export const shownEvents = [
  'connection-changed',
  'enrollment-tried',
  'report-recorded',
  'host-removed',
  'holds-changed',
  'repository-changed',
  'alerts-changed',
] as const

export type ShownEvent = Extract<ServerEvent, { kind: (typeof shownEvents)[number] }>

export function changedBy(event: ShownEvent): readonly Changed[] {
  switch (event.kind) {
    case 'connection-changed':
    case 'enrollment-tried':
    case 'host-removed':
      return [hostChanged(event.host)]
    case 'report-recorded':
      return [hostChanged(event.host), ...event.services.map((name) => ({ noun: 'service', name }) as const)]
    case 'holds-changed':
      return [...new Set(event.hosts)].map(hostChanged)
    case 'repository-changed':
      return [{ noun: 'repository', name: event.revision }]
    case 'alerts-changed':
      return event.alerts.flatMap(({ key, host }) => [
        { noun: 'alert', name: key } as const,
        ...(host === undefined ? [] : [hostChanged(host)]),
      ])
  }
}

function hostChanged(name: string): Changed {
  return { noun: 'host', name }
}
