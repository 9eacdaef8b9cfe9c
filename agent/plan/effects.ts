// What a plan does to the host, one by one: what an apply then tells as its changes is this, and nothing else. Pure.
import type { ResourceId, ServiceName } from '../../shared/names.ts'
import type { Change } from '../../shared/report.ts'
import type { ResourceChange } from '../resources/kind.ts'
import type { Plan } from './plan.ts'
import type { Step } from './steps.ts'

export type Effect = {
  readonly service: ServiceName
  /** The resource; of tools and triggers, which have none, the words they are told in. */
  readonly what: ResourceId | string
  /** False: only the apply itself can show whether it is needed, and the plan says so. */
  readonly isCertain: boolean
}

export function effectsOf({ services }: Plan): readonly Effect[] {
  return services.flatMap(({ service, steps }) =>
    steps.flatMap(effectsOfStep).map((effect) => ({ service, ...effect })),
  )
}

/** What of an apply's changes is comparable with an effect. */
export function effectOf({ service, resource, summary }: Change): Omit<Effect, 'isCertain'> {
  return { service, what: resource ?? summary }
}

function effectsOfStep(step: Step): readonly Omit<Effect, 'service'>[] {
  switch (step.kind) {
    case 'change':
      // A project whose files changed may have no container that sees them, and a package may leave nothing to be purged.
      return step.changes.map((change) => ({
        what: change.id,
        isCertain: step.resource !== 'compose' && !isPurgeUnseen(change),
      }))
    case 'tools':
      return step.tools.map(({ summary, needs }) => ({ what: summary, isCertain: needs === undefined }))
    case 'validate':
    case 'check':
    case 'restart-agent':
      return []
    case 'trigger': {
      const { action, foreseen } = step
      if (action.kind === 'run') return [{ what: `ran ${action.command}`, isCertain: true }]
      const { kind, unit } = action
      if (foreseen === 'no') return []
      // One of the two, or neither.
      if (kind === 'reload-or-restart')
        return ['reloaded', 'restarted'].map((done) => ({ what: `${done} ${unit}`, isCertain: false }))
      return [{ what: `${kind === 'reload' ? 'reloaded' : 'restarted'} ${unit}`, isCertain: foreseen === 'yes' }]
    }
  }
}

function isPurgeUnseen({ differences, live }: ResourceChange): boolean {
  return live.extras === undefined && differences.some(({ name }) => name === 'extra')
}
