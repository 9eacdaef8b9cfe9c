// In: a plan of what a person would have applied. Out: why it leaves services as they are, though something of them differs. Pure.
import type { ServiceName } from '../../shared/names.ts'
import type { Obstacle } from '../../shared/report.ts'
import type { Plan, ServicePlan } from './plan.ts'

/** `isRemoval`: nothing of the revision is applied before a person allows what it removes. A hold on the service itself is none of these. */
export function obstaclesIn(
  { services }: Plan,
  { isRemoval }: { readonly isRemoval: boolean },
): ReadonlyMap<ServiceName, Obstacle> {
  return new Map(
    services.flatMap((plan) => {
      const obstacle = isRemoval ? ({ kind: 'removal' } as const) : obstacleTo(plan)
      return obstacle === undefined ? [] : [[plan.service, obstacle] as const]
    }),
  )
}

function obstacleTo({ waits, blocked }: ServicePlan): Obstacle | undefined {
  if (blocked.length > 0) return { kind: 'unchecked' }
  return waits === undefined ? undefined : { kind: 'other-held', service: waits.held, hold: waits.hold }
}
