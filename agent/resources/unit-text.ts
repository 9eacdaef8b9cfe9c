// What differs in a unit, for a person. Pure.
import { lastRunName, objectName } from '../../shared/finding-kind.ts'
import { parseResourceId, type ResourceId } from '../../shared/names.ts'
import type { AttributeDifference } from './kind.ts'

export function unitText(id: ResourceId, differences: readonly AttributeDifference[]): string {
  const texts = differences.map(({ name, expected, live }) => {
    if (name === 'type') return 'no longer in the repository'
    if (name === lastRunName) return `its last run failed (${live})`
    if (name === objectName) return `${live}, and podman does not change what exists; ${expected}`
    if (name === 'install') return `enabled by ${live}, should be by ${expected}`
    if (name === 'loaded') return 'its files changed, and systemd has not read them again (systemctl daemon-reload)'
    if (live === 'skipped') return `not running, since a condition of it does not hold; should be ${expected}`
    return name === 'enabled'
      ? `${enabledWord(live)}, should be ${enabledWord(expected)}`
      : `${live}, should be ${expected}`
  })
  return `${parseResourceId(id).name}: ${texts.join('; ')}`
}

function enabledWord(value: string): string {
  return value === 'yes' ? 'enabled' : value === 'no' ? 'disabled' : value
}
