// Failed services: revision, number of attempts and time of the next one, so that a broken commit is retried with backoff.
import { join } from 'node:path'
import { z } from 'zod'
import type { Revision, ServiceName } from '../../shared/names.ts'
import type { Problem, ProblemCode } from '../../shared/problem.ts'
import { type Failure, failureSchema } from '../../shared/report.ts'
import { sharedRecord } from './shared-record.ts'

export type NewFailure = {
  readonly service: ServiceName
  readonly revision: Revision
  readonly at: Date
  readonly step: string
  readonly problem: Problem
  /** The previous failure, when it has been cleared since. */
  readonly earlier?: Failure | undefined
}

export type Failures = ReadonlyMap<string, Failure>

export type FailureStore = {
  /** Reads the file; called once for all services. */
  read(): Failures
  /** Increments the count when the same revision failed before. */
  add(failure: NewFailure): Failure
  clear(services: readonly ServiceName[]): void
}

/** False while a failed revision waits for its next attempt. */
export function mayTry(failure: Failure | undefined, revision: Revision, now: Date): boolean {
  if (failure === undefined || failure.revision !== revision) return true
  const waitedMs = now.getTime() - Date.parse(failure.at)
  // A failure in the future means that the clock was set back since; its wait could last for years.
  return waitedMs < 0 || waitedMs >= retryDelaySeconds(failure.attempts, failure.problem.code) * 1000
}

/** 1, 2, 4, ... 60 minutes; what cut the host off waits for 1, 2, 4, ... 24 hours: each try is a minute without contact. */
export function retryDelaySeconds(attempts: number, code: ProblemCode): number {
  const [first, longest] = code === 'contact-lost' ? [3600, 86_400] : [60, 3600]
  return Math.min(first * 2 ** Math.min(attempts - 1, 10), longest)
}

const fileSchema = z.record(z.string(), failureSchema)

export function failureStore(directory: string): FailureStore {
  const record = sharedRecord(join(directory, 'failures.json'), parsed)
  const save = (failures: Failures) =>
    record.set(failures, failures.size === 0 ? undefined : JSON.stringify(Object.fromEntries(failures)))
  return {
    read: record.get,
    add: ({ service, revision, at, step, problem, earlier }) => {
      const before = record.get().get(service) ?? earlier
      const attempts = before?.revision === revision ? before.attempts + 1 : 1
      const nextAttemptAt = new Date(at.getTime() + retryDelaySeconds(attempts, problem.code) * 1000).toISOString()
      const about = { revision, at: at.toISOString(), nextAttemptAt }
      const failure: Failure = { ...about, step: step.slice(0, 500), problem, attempts }
      save(new Map([...record.get(), [service, failure]]))
      return failure
    },
    clear: (services) => {
      const failures = record.get()
      if (failures.size === 0) return
      const cleared = new Set<string>(services)
      const left = new Map([...failures].filter(([name]) => !cleared.has(name)))
      if (left.size < failures.size) save(left)
    },
  }
}

function parsed(content = '{}'): Failures {
  return new Map(Object.entries(fileSchema.parse(JSON.parse(content))))
}
