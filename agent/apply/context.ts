// What the phases of one apply share, the only record that is passed through all of them; and the same of one service of it.
import type { ResourceId, ServiceName } from '../../shared/names.ts'
import { type Problem, problemsOf } from '../../shared/problem.ts'
import type { Change } from '../../shared/report.ts'
import type { CheckOptions } from '../host/checks.ts'
import type { HostWriter } from '../host/host.ts'
import type { RunningContainers } from '../host/running-containers.ts'
import type { Plan, ServicePlan } from '../plan/plan.ts'
import type { Step } from '../plan/steps.ts'
import type { ApplyHost, ReadContents } from '../resources/kind.ts'
import type { ServiceBaseline } from '../state/baseline.ts'
import type { Lock } from '../state/lock.ts'
import type { State } from '../state/state.ts'
import type { Guard, Guarding } from './guard.ts'
import type { ServiceJournal } from './journal.ts'
import type { ServiceOutcome } from './result.ts'
import type { NewParents } from './shared-changes.ts'

export type ApplyOptions = {
  readonly host: HostWriter
  readonly contents: ReadContents
  readonly state: State
  /** Held while planning too: what was observed must still hold. */
  readonly lock: Lock
  readonly now: () => Date
  /** Takes the values of secrets out of the words of failed commands. */
  readonly mask?: (text: string) => string
  /** How long the checks of a service may take to hold; default 30 s each. */
  readonly checks?: CheckOptions
  /** Default: no connectivity guard. */
  readonly guarding?: Guarding
  /** Aborted: no further service is begun; the one under way comes to its end. */
  readonly stop?: AbortSignal
  /** What is waited for while nothing is done. */
  readonly onWait?: (text: string) => void
  /** One past-tense line for each thing done, as it is done. */
  readonly onProgress?: (change: Change) => void
}

export type ApplyContext = Omit<ApplyOptions, 'lock'> & {
  readonly plan: Plan
  /** What answered before the apply must answer after it; undefined: nothing is guarded. */
  readonly guard: Guard | undefined
  readonly newParents: NewParents
  /** Bytes of displaced content that this apply may still keep, of all services together. */
  readonly budget: { bytes: number }
  /** By path, the service that took it in this apply: what is there now is ours. */
  readonly taken: Map<string, ServiceName>
  /** By service, what settles now. */
  readonly settling: Map<ServiceName, Settling>
  readonly outcomes: Map<ServiceName, ServiceOutcome>
  /** Applied, and undone if contact is lost. In the order they were committed. */
  readonly committed: Transaction[]
  /** To be on record when the apply ends; undefined: to be forgotten. */
  readonly baselines: Map<ServiceName, ServiceBaseline | undefined>
  /** What went wrong beside the services. */
  readonly problems: Problem[]
  /** Services that could not be put back in full: the journal is still needed. */
  readonly halfUndone: Set<ServiceName>
}

/** One service of an apply, which is applied in full or not at all: how far it has come, and what is needed to roll it back. */
export type Transaction = {
  readonly servicePlan: ServicePlan
  /** With a mark of its own for what it keeps, and waits that let other services go on. */
  readonly host: ApplyHost
  readonly journal: ServiceJournal
  /** What runs goes on running when a step restarts the engine. */
  readonly containers: RunningContainers
  /** In ms since the epoch, when it began: the engine's clock is the host's. */
  readonly since: number
  /** What it is doing, to be named if it fails; undefined: it is being recorded. */
  at: Step | Settling | undefined
  readonly changes: Change[]
  /** Units that it started: they have read the new files already. */
  readonly started: Set<string>
  /** Compose projects of which containers were made, started or removed; units that were started or told something. */
  readonly touched: Set<ResourceId>
  /** Units and projects of which the journal says how they were before this apply: a later look would see its own work. */
  readonly saved: Set<ResourceId>
}

/** What was started stays up for the settle time of its service, or the service is rolled back. */
export type Settling = {
  readonly kind: 'settling'
  readonly seconds: number
  /** Of `performance.now()`. */
  readonly endsAt: number
  readonly watches: readonly Watch[]
}

/** Says what is wrong by now, or undefined. */
export type Watch = () => Promise<string | undefined>

/** A full disk must not keep the other services from being applied, nor the report from being sent. */
export async function tolerate({ problems }: Pick<ApplyContext, 'problems'>, work: () => unknown): Promise<void> {
  try {
    await work()
  } catch (error) {
    problems.push(...problemsOf(error))
  }
}
