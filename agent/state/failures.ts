// Failed services: which revision, how often, and when it may be tried again, so that a broken commit is not applied for ever.
import { join } from 'node:path'
import { z } from 'zod'
import type { Revision, ServiceName } from '../../shared/names.ts'
import type { Problem, ProblemCode } from '../../shared/problem.ts'
import { type Failure, failureSchema } from '../../shared/report.ts'
import { readIfThere, removeIfThere, replaceFile } from './durable.ts'

export type NewFailure = {
  readonly service: ServiceName
  readonly revision: Revision
  readonly at: Date
  readonly step: string
  readonly problem: Problem
}

export type FailureStore = {
  get(service: ServiceName): Failure | undefined
  /** Counts on when the same revision failed before. */
  add(failure: NewFailure): Failure
  clear(service: ServiceName): void
  /** False while a failed revision waits for its next try. */
  mayTry(service: ServiceName, revision: Revision, now: Date): boolean
}

/** 1, 2, 4, ... 60 minutes; what cut the host off waits for 1, 2, 4, ... 24 hours: each try is a minute without contact. */
export function retryDelaySeconds(attempts: number, code: ProblemCode): number {
  const [first, longest] = code === 'contact-lost' ? [3600, 86_400] : [60, 3600]
  return Math.min(first * 2 ** Math.min(attempts - 1, 10), longest)
}

const fileSchema = z.record(z.string(), failureSchema)

export function failureStore(directory: string): FailureStore {
  const path = join(directory, 'failures.json')
  const failures = read(path)
  const save = () =>
    failures.size === 0
      ? removeIfThere(path)
      : replaceFile({ path, content: JSON.stringify(Object.fromEntries(failures)) })
  return {
    get: (service) => failures.get(service),
    add: ({ service, revision, at, step, problem }) => {
      const before = failures.get(service)
      const attempts = before?.revision === revision ? before.attempts + 1 : 1
      const failure: Failure = { revision, at: at.toISOString(), step: step.slice(0, 500), problem, attempts }
      failures.set(service, failure)
      save()
      return failure
    },
    clear: (service) => {
      if (failures.delete(service)) save()
    },
    mayTry: (service, revision, now) => {
      const failure = failures.get(service)
      if (failure === undefined || failure.revision !== revision) return true
      const waitedMs = now.getTime() - Date.parse(failure.at)
      // A failure that is yet to come was told by a clock that has been set back since: its wait could last for years.
      return waitedMs < 0 || waitedMs >= retryDelaySeconds(failure.attempts, failure.problem.code) * 1000
    },
  }
}

function read(path: string): Map<string, Failure> {
  try {
    return new Map(Object.entries(fileSchema.parse(JSON.parse(readIfThere(path)?.toString('utf8') ?? '{}'))))
  } catch {
    return new Map()
  }
}
