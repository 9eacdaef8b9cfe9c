// How long a host may say nothing, or finish no check, before a person is told: by plumb.yaml, unless the operator says
// otherwise.
import type { FleetSource } from './fleet.ts'

export type HostDeadlines = {
  /** A host that checks seldom speaks seldom: it may miss two checks before it counts as offline. */
  offlineAfterMs(): number
  checkOverdueAfterMs(): number
}

/** A host may miss so many checks before it is an alert. */
const checksMissed = 3
/** Applies take their time, too. */
const leastOverdueMs = 15 * 60_000

/** `silentAfterSeconds` overrides plumb.yaml. */
export function createHostDeadlines(source: FleetSource, silentAfterSeconds: number | undefined): HostDeadlines {
  return {
    offlineAfterMs() {
      const { silentAfter, checkEvery } = source.state().fleet.defaults
      return (silentAfterSeconds ?? Math.max(silentAfter, checksMissed * checkEvery)) * 1000
    },
    checkOverdueAfterMs: () => Math.max(leastOverdueMs, checksMissed * source.state().fleet.defaults.checkEvery * 1000),
  }
}
