// How long a host may send nothing, or finish no check, before an alert opens: set in plumb.yaml, or by an option of
// the server.
import type { FleetSource } from './fleet.ts'

export type HostDeadlines = {
  /** A host with a long check interval sends rarely: it counts as offline only after three intervals. */
  offlineAfterMs(): number
  checkOverdueAfterMs(): number
}

/** Missed checks after which an alert opens. */
const checksMissed = 3
/** Lower bound: a long apply delays the check. */
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
