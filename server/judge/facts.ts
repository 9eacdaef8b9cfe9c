// Input and output types of the conditions: facts about hosts and the fleet in, causes of alerts out.
import type { HostName, Revision, ServiceName } from '../../shared/names.ts'
import type { Problem } from '../../shared/problem.ts'
import type { ServiceReport } from '../../shared/report.ts'
import type { Cause, Severity } from '../store/alerts.ts'
import type { RecordedEnd } from '../store/holds.ts'
import type { IdentityCopy } from '../store/machines.ts'

export type HostFacts = {
  readonly host: HostName
  /** The revision that the host last reported; undefined when it reported none. */
  readonly revision: Revision | undefined
  readonly services: readonly ServiceReport[]
  /** Services that the repository assigns to the host; undefined until the server has read the repository. */
  readonly given: readonly ServiceName[] | undefined
  /** The host's revision is missing from the server's clone. */
  readonly isElsewhere: boolean
  /** Services that the host reports without being assigned. Untrusted: a host can make up names. */
  readonly notGiven: readonly ServiceReport[]
  /** The host is at the server's head revision, or the head assigns it nothing. */
  readonly isComparable: boolean
  /** A name or pattern in plumb.yaml matches the host; also true until the server has read the repository. */
  readonly isNamed: boolean
  readonly problems: readonly Problem[]
  readonly endedHolds: readonly RecordedEnd[]
  /** A second machine that presents this host's key. */
  readonly copy?: Pick<IdentityCopy, 'sign' | 'address'> | undefined
  readonly lastSeenAt: string
  readonly unheardForMs: number
  /** False: nothing was received from the host since the server started. */
  readonly heardSinceStart: boolean
  /** Time since the last finished check, not counting time that the host was disconnected. */
  readonly uncheckedForMs: number
  readonly checkedSinceStart: boolean
}

export type Surroundings = {
  readonly offlineAfterMs: number
  readonly checkOverdueAfterMs: number
  /** The head revision is invalid: the fleet alert says so, and alerts per host would repeat it. */
  readonly repositoryInvalid: boolean
}

export type FleetFacts = {
  /** What is wrong with the head revision. */
  readonly invalid: readonly Problem[]
  /** Why the server cannot fetch; set only once the outage has lasted long enough for an alert. */
  readonly unreachable: Problem | undefined
  readonly channelProblems: readonly { readonly key: string; readonly message: string; readonly remedy: string }[]
  readonly refusedEnrollments: readonly {
    readonly cause: string
    readonly host: HostName
    readonly reason: string
    readonly address: string
  }[]
  /** Damaged database files that were quarantined and are still in the data directory. */
  readonly quarantinedDatabases: readonly string[]
}

export type Found = Omit<Cause, 'scope' | 'kind' | 'severity' | 'host'> & { readonly host?: HostName }

export type Context = Surroundings & { readonly isOpen: (key: string) => boolean }

export type Condition<Facts extends readonly unknown[]> = {
  readonly kind: string
  readonly severity: Severity
  readonly found: (...facts: Facts) => readonly Found[]
}
