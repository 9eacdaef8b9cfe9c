// How long an apply waits for what it starts: the longest chain of services that are after each other, since all others wait side by side. Pure.

import type { ResourceId, ServiceName } from '../../shared/names.ts'
import { isOfKind } from '../../shared/resource.ts'
import { changesIn } from '../resources/change-step.ts'
import type { ServicePlan } from './plan.ts'

export type CriticalPath = {
  readonly seconds: number
  /** In the order they are applied. */
  readonly services: readonly ServiceName[]
}

/** `healthSeconds`: of compose projects that are brought up. Undefined where fewer than two services wait: that is told by their steps. */
export function criticalPath(
  plans: readonly ServicePlan[],
  healthSeconds: (project: ResourceId) => number,
): CriticalPath | undefined {
  const longest = new Map<ServiceName, CriticalPath>()
  let waiting = 0
  for (const plan of plans) {
    const own = waitSeconds(plan, healthSeconds)
    if (own > 0) waiting += 1
    const before = plan.after.flatMap((name) => longest.get(name) ?? []).reduce(longer, none)
    longest.set(plan.service, {
      seconds: before.seconds + own,
      services: own > 0 ? [...before.services, plan.service] : before.services,
    })
  }
  return waiting < 2 ? undefined : [...longest.values()].reduce(longer, none)
}

/** `about 75 s of waiting: db -> app -> web`. */
export function criticalPathText({ seconds, services }: CriticalPath): string {
  return `about ${Math.ceil(seconds)} s of waiting: ${services.join(' -> ')}`
}

const none: CriticalPath = { seconds: 0, services: [] }

function longer(one: CriticalPath, other: CriticalPath): CriticalPath {
  return other.seconds > one.seconds ? other : one
}

function waitSeconds(plan: ServicePlan, healthSeconds: (project: ResourceId) => number): number {
  const { units, projects } = plan.watched
  if (units.length + projects.length === 0) return 0
  const health = changesIn(plan).flatMap(({ id }) => (isOfKind(id, 'compose') ? [healthSeconds(id)] : []))
  return plan.settleSeconds + Math.max(0, ...health)
}
