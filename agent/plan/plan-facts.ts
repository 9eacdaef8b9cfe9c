// Why a plan is as it is, for the debug log: of each service with something to do, or with a reason to do nothing, the resources and codes.
import type { Plan, ServicePlan } from './plan.ts'
import type { Step } from './steps.ts'

export type PlanFacts = {
  readonly revision: string
  readonly services: readonly Readonly<Record<string, unknown>>[]
}

export function planFacts({ revision, services }: Plan): PlanFacts {
  return { revision, services: services.map(serviceFacts).filter((facts) => Object.keys(facts).length > 1) }
}

/** A field is there only where it says something. */
function serviceFacts(servicePlan: ServicePlan): Readonly<Record<string, unknown>> {
  const { service, steps, repairs, leftAlone, leftDiffering, blocked, held, waits, isLeaving } = servicePlan
  return {
    service,
    ...listed('steps', steps.flatMap(stepNames)),
    ...listed('repairs', repairs),
    ...listed('leftAlone', leftAlone),
    ...listed('leftDiffering', leftDiffering),
    ...listed(
      'blocked',
      blocked.map(({ code }) => code),
    ),
    ...(held === undefined ? {} : { heldUntil: held.until }),
    ...(waits === undefined ? {} : { waits: waits.text }),
    ...(isLeaving ? { isLeaving } : {}),
  }
}

const listLimit = 200

function listed(name: string, values: readonly string[]): Readonly<Record<string, unknown>> {
  if (values.length === 0) return {}
  if (values.length <= listLimit) return { [name]: values }
  return { [name]: values.slice(0, listLimit), [`${name}LeftOut`]: values.length - listLimit }
}

/** `change file:/etc/motd (content, mode)` */
function stepNames(step: Step): readonly string[] {
  if (step.kind !== 'change') return [step.kind]
  return step.changes.map(({ id, differences }) => {
    const names = differences.map(({ name }) => name).join(', ')
    return `change ${id}${names === '' ? '' : ` (${names})`}`
  })
}
