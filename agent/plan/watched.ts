// What must stay up after an apply: whatever its steps start, restart, make anew or tell to reload. Pure.
import type { ComposeResource } from '../../shared/resource.ts'
import type { Step } from './steps.ts'

export type Watched = {
  readonly units: readonly string[]
  readonly projects: readonly ComposeResource[]
}

export function watchedIn(steps: readonly Step[]): Watched {
  return {
    units: [...new Set(steps.flatMap(unitsIn))],
    projects: steps.flatMap(projectsIn),
  }
}

function unitsIn(step: Step): readonly string[] {
  if (step.kind === 'trigger') return step.action.kind === 'run' || step.foreseen === 'no' ? [] : [step.action.unit]
  if (step.kind !== 'change') return []
  return step.changes.flatMap(({ desired }) =>
    desired?.kind === 'unit' && desired.state === 'running' ? [desired.name] : [],
  )
}

function projectsIn(step: Step): readonly ComposeResource[] {
  if (step.kind !== 'change') return []
  return step.changes.flatMap(({ desired }) =>
    desired?.kind === 'compose' && desired.state === 'running' ? [desired] : [],
  )
}
