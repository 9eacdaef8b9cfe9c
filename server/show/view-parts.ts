// Dependencies of the views: the database, the clone, and the live state of agents.
import type { HostName } from '../../shared/names.ts'
import type { Problem } from '../../shared/problem.ts'
import type { Presence } from '../agents/presence.ts'
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
  readonly agents: { isConnected(host: HostName): boolean }
  /** More recent than the database. Empty for a host that was not heard from since the server started. */
  readonly presence: Pick<Presence, 'lastHeardAt' | 'lastCheckedAt' | 'clockAheadSeconds'>
  /** Problems of alert channels. */
  readonly courier: { problems(): Promise<readonly Problem[]> }
}

/** Upper bounds of shown entries. */
export const shown = { resolvedAlerts: 100, hostAlerts: 20, applies: 20, transitions: 100, commits: 20 }
