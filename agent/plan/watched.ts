// What must stay up after an apply: whatever its steps start, restart, make anew or tell to reload. Pure.
import type { Step } from './steps.ts'

export type Watched = {
  readonly units: readonly string[]
  /** Compose projects. */
  readonly projects: readonly string[]
}

export function watchedIn(steps: readonly Step[]): Watched {
  return {
    units: [...new Set(steps.flatMap(unitsIn))],
    projects: [...new Set(steps.flatMap(projectsIn))],
  }
}

function unitsIn(step: Step): readonly string[] {
  if (step.kind === 'trigger') return step.action.kind === 'run' || step.foreseen === 'no' ? [] : [step.action.unit]
  if (step.kind !== 'change') return []
  return step.changes.flatMap(({ desired }) =>
    desired?.kind === 'unit' && desired.state === 'running' ? [desired.name] : [],
  )
}

function projectsIn(step: Step): readonly string[] {
  if (step.kind !== 'change') return []
  return step.changes.flatMap(({ desired }) =>
    desired?.kind === 'compose' && desired.state === 'running' ? [desired.project] : [],
  )
}
