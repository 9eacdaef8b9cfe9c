// What stands on this host, and what happened to it here, as lines for a person.

import { resourceId } from '../../shared/names.ts'
import { resourceEventText } from '../../shared/resource-event-text.ts'
import { absoluteTime } from '../../shared/time-text.js'
import { visibleText } from '../../shared/visible-text.ts'
import type { OnHost } from '../../shared/why.ts'
import { counted } from './output.ts'
import type { LiveWhy } from './why-asked.ts'

const eventsShown = 20

/** What stands on this host; its text is not told, it may hold a secret. */
export function liveLines({ path, line, writtenAt, found }: LiveWhy, onHost: OnHost | undefined): readonly string[] {
  const place = `${visibleText(path)}:${line}`
  const drift = onHost?.drift.find(({ resource }) => resource === resourceId('file', path))
  const written =
    writtenAt === undefined ? 'changed on this host' : `changed on this host; written ${absoluteTime(writtenAt)}`
  const since = drift?.evidence ?? (drift === undefined ? written : `noticed ${absoluteTime(drift.since)}`)
  const told = ['  '.concat(visibleText(since)), '  see what differs: plumb check', '']
  switch (found.kind) {
    case 'same':
      return found.applied === line ? [] : [`${place} is line ${found.applied} of the repository's file`]
    case 'changed':
      return [`${place} is not from the repository: it was changed on this host, in the place of`, ...told]
    case 'added':
      return [`${place} is not from the repository: it was added on this host, ${placeText(found.after)}`, ...told]
    case 'no-such-line':
      return [`${place}: the file on this host has ${counted(found.lines, 'line')}`, '']
    case 'unknown':
      return [`${place} could not be looked for in what was applied here: ${visibleText(found.reason)}`, '']
  }
}

function placeText(after: number): string {
  return after === 0 ? "before the repository's first line" : `behind line ${after} of the repository's file`
}

export function onHostLines({ host, applied, appliedAt, drift, hold, events }: OnHost): readonly string[] {
  const now = [
    ...(applied === undefined
      ? []
      : [`applied at ${applied.slice(0, 12)}${appliedAt === undefined ? '' : `, ${absoluteTime(appliedAt)}`}`]),
    ...drift.map(({ summary, since }) => `drift since ${absoluteTime(since)}: ${summary}`),
    ...(hold === undefined ? [] : [`held by ${hold.by} until ${absoluteTime(hold.until)}: ${hold.why}`]),
  ]
  const left = events.length - eventsShown
  return [
    '',
    `  on ${host}${now.length === 0 ? '' : `: ${visibleText(now.join('; '))}`}`,
    ...events
      .slice(0, eventsShown)
      .map((event) => `    ${absoluteTime(event.at)}  ${visibleText(resourceEventText(event))}`),
    ...(left > 0 ? [`    and ${left} more: --json`] : []),
  ]
}
