// What stands on this host, and what happened to it here, as lines for a person.

import { resourceId } from '../../shared/names.ts'
import { resourceEventText } from '../../shared/resource-event-text.ts'
import { absoluteTime } from '../../shared/time-text.js'
import { visibleText } from '../../shared/visible-text.ts'
import type { OnHost, Why } from '../../shared/why.ts'
import { counted } from './output.ts'
import type { LiveWhy } from './why-asked.ts'

const eventsShown = 20

/** About the line of the live file. Its text is not printed, because it may hold a secret. `options`: of `plumb check`, behind a space. */
export function liveLines(
  { path, line, writtenAt, found }: LiveWhy,
  { source, onHost }: Pick<Why, 'source' | 'onHost'>,
  options: string,
): readonly string[] {
  const place = `${visibleText(path)}:${line}`
  const drift = onHost?.drift.find(({ resource }) => resource === resourceId('file', path))
  const written =
    writtenAt === undefined ? 'changed on this host' : `changed on this host; written ${absoluteTime(writtenAt)}`
  const since = drift?.evidence ?? (drift === undefined ? written : `noticed ${absoluteTime(drift.since)}`)
  const details = [`  ${visibleText(since)}`, `  see what differs: plumb check${options}`, '']
  switch (found.kind) {
    case 'same':
      return found.applied === line ? [] : [`${place} is line ${found.applied} of the repository's file`]
    case 'changed':
      return [
        `${place} was changed on this host: it differs from line ${found.applied} of ${visibleText(source)}`,
        ...details,
      ]
    case 'added':
      return [`${place} was added on this host, ${placeText(found.after)}`, ...details]
    case 'no-such-line':
      return [`${visibleText(path)} has ${counted(found.lines, 'line')} on this host, and no line ${line}`, '']
    case 'unknown':
      return [`${place} could not be looked for in what was applied here: ${visibleText(found.reason)}`, '']
  }
}

function placeText(after: number): string {
  return after === 0 ? "before the repository's first line" : `after line ${after} of the repository's file`
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
