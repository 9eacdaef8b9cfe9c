// The values of a JSON or YAML file that differ, a line each: `~ panels[3].title: "Load" -> "Loads"`, `+ tags[2]: "ops"`, `- editable: true`.
import type { Finding, ValueChange } from './finding.ts'

/** The first `limit`, and how many more there are. */
export function changeLines({ changes = [], changesCut }: Finding, limit: number): readonly string[] {
  const left = changes.length - limit
  const more = changesCut === true ? [`... and more than ${Math.max(left, 0)} more values`] : []
  const rest = left > 0 ? [`... and ${left} more ${left === 1 ? 'value' : 'values'}`] : []
  return [...changes.slice(0, limit).map(changeLine), ...(more.length > 0 ? more : rest)]
}

function changeLine({ path, kind, expected = '', live = '' }: ValueChange): string {
  switch (kind) {
    case 'added':
      return `+ ${path}: ${live}`
    case 'removed':
      return `- ${path}: ${expected}`
    case 'changed':
      return `~ ${path}: ${expected} -> ${live}`
  }
}
