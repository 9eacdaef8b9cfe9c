// What an apply left other than it made it: a resource that it changed, or found as desired, and that differs right after. Where it is
// gone or of another type the apply most likely did that itself, by a name that leads to the same place; where it installed packages,
// one of their scripts did. Neither is drift: it is owed. Pure.

import { lastRunName } from '../../shared/finding-kind.ts'
import type { ResourceId, ServiceName } from '../../shared/names.ts'
import type { Problem } from '../../shared/problem.ts'
import { isOfKind } from '../../shared/resource.ts'
import { changesIn } from '../resources/change-step.ts'
import { pathInId } from '../resources/paths.ts'
import { type ComparedResource, type HostComparison, whyIgnored } from './compare.ts'
import type { Plan } from './plan.ts'

export type Owed = { readonly services: ReadonlySet<ServiceName>; readonly resources: ReadonlySet<ResourceId> }

export type Looks = { readonly before: HostComparison; readonly after: HostComparison }

/** Of services that were applied or had nothing to be applied; `before`: what the plan was made from. */
export function owedAfter(plan: Plan, done: ReadonlySet<ServiceName>, looks: Looks): Owed {
  const hasInstalled = plan.services
    .filter(({ service }) => done.has(service))
    .some((servicePlan) => changesIn(servicePlan).some(({ id }) => isOfKind(id, 'package')))
  const owed = changedSince(plan, done, looks).filter(
    ({ resource, isIgnored }) => isOfAnotherType(resource) || (hasInstalled && !isIgnored && isOfScripts(resource)),
  )
  return {
    services: new Set(owed.map(({ service }) => service)),
    resources: new Set(owed.map(({ resource }) => resource.id)),
  }
}

export type Changed = {
  readonly service: ServiceName
  readonly resource: ComparedResource
  readonly isIgnored: boolean
}

/** What differs although this apply made it, or found it as desired. */
export function changedSince(
  { services }: Plan,
  done: ReadonlySet<ServiceName>,
  { before, after }: Looks,
): readonly Changed[] {
  const made = new Set(
    services
      .filter(({ service }) => done.has(service))
      .flatMap(changesIn)
      .map(({ id }) => id),
  )
  const differed = new Set(before.services.flatMap(({ differing }) => differing.map(({ id }) => id)))
  return after.services
    .filter(({ service }) => done.has(service))
    .flatMap((compared) =>
      compared.differing
        .filter(({ id, comparison }) => comparison.drift.length > 0 && (made.has(id) || !differed.has(id)))
        .map((resource) => ({
          service: compared.service,
          resource,
          isIgnored: whyIgnored(compared, resource) !== undefined,
        })),
    )
}

/** What a program writes into its own file is not the apply's doing. */
function isOfAnotherType({ id, desired, comparison }: ComparedResource): boolean {
  return desired !== undefined && pathInId(id) !== undefined && comparison.drift.some(({ name }) => name === 'type')
}

/** What the scripts of a package may change: mode, owner and content of files, and what is enabled or running. */
function isOfScripts({ id, desired, comparison }: ComparedResource): boolean {
  const mayBe = pathInId(id) !== undefined || isOfKind(id, 'unit')
  return desired !== undefined && mayBe && comparison.drift.some(({ name }) => name !== lastRunName)
}

export function owedProblem({ resources }: Owed): Problem {
  const paths = [...resources].map((id) => pathInId(id) ?? id)
  const more = paths.length > 5 ? ` and ${paths.length - 5} more` : ''
  return {
    code: 'apply-failed',
    message: `${paths.slice(0, 5).join(', ')}${more}: not as applied right after the apply and after the next one.`,
    remedy:
      'A link on the way that changes, a program, or a script of a package that changes it would explain that: see plumb check.',
  }
}
