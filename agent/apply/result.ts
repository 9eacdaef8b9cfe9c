// What an apply says of itself when it has ended. Pure.
import type { Revision, ServiceName } from '../../shared/names.ts'
import type { Problem } from '../../shared/problem.ts'
import type { ApplyReport, Change, Failure, Hold, Repair } from '../../shared/report.ts'

export type ServiceOutcome =
  | { readonly kind: 'unchanged'; readonly service: ServiceName }
  | { readonly kind: 'applied'; readonly service: ServiceName; readonly changes: readonly Change[] }
  | { readonly kind: 'failed'; readonly service: ServiceName; readonly failure: Failure }
  | { readonly kind: 'skipped'; readonly service: ServiceName; readonly reason: string }
  | { readonly kind: 'held'; readonly service: ServiceName; readonly hold: Hold }

export type ApplyResult = {
  readonly revision: Revision
  /** ISO 8601: when it ended. */
  readonly at: string
  readonly services: readonly ServiceOutcome[]
  /** What went wrong beside the services: the record could not be written, something was left behind. */
  readonly problems: readonly Problem[]
}

/** For the report to the server; undefined when there is nothing to tell. */
export function applyReport(
  { revision, at, services }: ApplyResult,
  repaired: readonly Repair[] = [],
): ApplyReport | undefined {
  const changes = services.flatMap((outcome) => (outcome.kind === 'applied' ? outcome.changes : []))
  const failed = services.flatMap((outcome) => (outcome.kind === 'failed' ? [outcome.service] : []))
  if (changes.length + failed.length === 0) return undefined
  return { revision, at, changes: [...changes], failed, ...(repaired.length === 0 ? {} : { repaired: [...repaired] }) }
}

/** Of two applies, the second of what the first one left other than it had made it. */
export function joinedResults(first: ApplyResult, second: ApplyResult): ApplyResult {
  const services = first.services.map((one): ServiceOutcome => {
    const again = second.services.find(({ service }) => service === one.service)
    if (again === undefined || again.kind === 'unchanged') return one
    if (again.kind !== 'applied' || one.kind !== 'applied') return again
    return { ...again, changes: [...one.changes, ...again.changes] }
  })
  return { ...second, services, problems: [...first.problems, ...second.problems] }
}

/** Services that are now as desired, and so on record. */
export function doneIn({ services }: Pick<ApplyResult, 'services'>): ReadonlySet<ServiceName> {
  return new Set(services.filter(isDone).map(({ service }) => service))
}

/** Those of them that something was changed of. */
export function appliedIn({ services }: Pick<ApplyResult, 'services'>): ReadonlySet<ServiceName> {
  return new Set(services.filter(({ kind }) => kind === 'applied').map(({ service }) => service))
}

function isDone({ kind }: ServiceOutcome): boolean {
  return kind === 'applied' || kind === 'unchanged'
}
