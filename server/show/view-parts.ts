// What the views read: the database, the clone, and what the running server knows of its agents.
import type { HostName } from '../../shared/names.ts'
import type { Problem } from '../../shared/problem.ts'
import type { Clock } from '../app/clock.ts'
import type { FleetSource } from '../app/fleet.ts'
import type { FleetClone } from '../repository/clone.ts'
import type { Db } from '../store/tables.ts'

export type ViewParts = {
  readonly db: Db
  readonly clock: Clock
  readonly source: FleetSource
  readonly clone: Pick<
    FleetClone,
    'commit' | 'missing' | 'readText' | 'fileText' | 'touches' | 'lastCommits' | 'removals' | 'history' | 'blame'
  >
  isConnected(host: HostName): boolean
  /** Fresher than what the database knows; undefined when not heard since the server started. */
  lastHeardAt(host: HostName): string | undefined
  /** When it last said what a check found; undefined as above. */
  lastCheckedAt(host: HostName): string | undefined
  /** Undefined: about right, or not known. */
  clockAheadSeconds(host: HostName): number | undefined
  /** What keeps alerts from being sent. */
  channelProblems(): Promise<readonly Problem[]>
}

/** How many of each are shown at most. */
export const shown = { resolvedAlerts: 100, hostAlerts: 20, applies: 20, transitions: 100, commits: 20 }
