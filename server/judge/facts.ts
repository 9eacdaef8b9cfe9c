// What the conditions judge: plain facts of hosts and of the fleet, and the form of what they find.
import type { HostName, Revision, ServiceName } from '../../shared/names.ts'
import type { Problem } from '../../shared/problem.ts'
import type { ServiceReport } from '../../shared/report.ts'
import type { Cause, Severity } from '../store/alerts.ts'
import type { RecordedEnd } from '../store/holds.ts'
import type { IdentityCopy } from '../store/machines.ts'

export type HostFacts = {
  readonly host: HostName
  /** What is desired there now; undefined: the host did not say. */
  readonly revision: Revision | undefined
  readonly services: readonly ServiceReport[]
  /** What the repository gives it; undefined while nothing is known of the repository. */
  readonly given: readonly ServiceName[] | undefined
  /** Its revision is not in the repository, as far as the server has fetched it. */
  readonly isElsewhere: boolean
  /** What the host reports, and the repository does not give it: anybody can make up names. */
  readonly notGiven: readonly ServiceReport[]
  /** The host follows the server's head revision, or no group and no host of that one is meant for it. */
  readonly isComparable: boolean
  /** The repository names the host, or a pattern does; also while nothing is known of the repository. */
  readonly isNamed: boolean
  readonly problems: readonly Problem[]
  readonly endedHolds: readonly RecordedEnd[]
  /** Another machine than the known one shows this host's key. */
  readonly copy?: Pick<IdentityCopy, 'sign' | 'address'> | undefined
  readonly lastSeenAt: string
  readonly unheardForMs: number
  /** False: not one word since this server was started. */
  readonly heardSinceStart: boolean
  /** For how long it was heard of without a check. */
  readonly uncheckedForMs: number
  readonly checkedSinceStart: boolean
}

export type Surroundings = {
  readonly offlineAfterMs: number
  readonly checkOverdueAfterMs: number
  /** The server's own clone says that the head revision is invalid: hosts need not say it each. */
  readonly repositoryInvalid: boolean
}

export type FleetFacts = {
  /** What is wrong with the head revision. */
  readonly invalid: readonly Problem[]
  /** Why the server cannot fetch, once that has lasted long enough to be worth a person's time. */
  readonly unreachable: Problem | undefined
  readonly channelProblems: readonly { readonly key: string; readonly message: string; readonly remedy: string }[]
  readonly refusedEnrollments: readonly {
    readonly cause: string
    readonly host: HostName
    readonly reason: string
    readonly address: string
  }[]
  /** Damaged database files that were set aside and are still there. */
  readonly quarantinedDatabases: readonly string[]
}

export type Found = Omit<Cause, 'scope' | 'kind' | 'severity' | 'host'> & { readonly host?: HostName }

export type Context = Surroundings & { readonly isOpen: (key: string) => boolean }

export type Condition<Facts extends readonly unknown[]> = {
  readonly kind: string
  readonly severity: Severity
  readonly found: (...facts: Facts) => readonly Found[]
}
