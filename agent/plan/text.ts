// A plan as lines for people: one for each thing that would be done, in order.
import { parseResourceId, type ResourceId } from '../../shared/names.ts'
import { agentUnit } from '../../shared/repository/reserved.ts'
import { jobAtStartText } from '../../shared/repository/timer-start.ts'
import { checkText } from '../host/checks.ts'
import type { ToolStep } from '../host/tools.ts'
import { type ComposeForecast, forecastText } from '../resources/compose-forecast.ts'
import type { ResourceChange } from '../resources/kind.ts'
import { kindNameOf, kinds } from '../resources/registry.ts'
import { actionText } from '../resources/trigger-text.ts'
import type { Step } from './steps.ts'

/** `write /etc/motd (content, mode)`, `remove /etc/old`, `enable and start nginx.service`. */
export function changeText(change: ResourceChange): string {
  return kinds[kindNameOf(change.id)].planText(change)
}

export function stepLines(step: Step): readonly string[] {
  switch (step.kind) {
    case 'change':
      return step.changes.map((change) =>
        step.uncertain?.includes(change.id) ? `${changeText(change)}, unless its package does` : changeText(change),
      )
    case 'tools':
      return step.tools.map(toolText)
    case 'validate':
      return [`validate with ${step.command}`]
    case 'trigger':
      return triggerLines(step)
    case 'check':
      return [`check ${checkText(step.check)}`]
    case 'restart-agent':
      return [`restart ${agentUnit}, when all of this is recorded`]
  }
}

/** Nothing of a unit that does not run, or that this very apply starts. */
function triggerLines({ action, foreseen, startsJob }: Extract<Step, { kind: 'trigger' }>): readonly string[] {
  const text = `${actionText(action)}${startsJob === undefined ? '' : `, ${jobAtStartText(startsJob)}`}`
  if (action.kind === 'run') return [text]
  switch (foreseen) {
    case 'yes':
      return [text]
    case 'maybe':
      return [`${text} if it runs`]
    case 'no':
      return []
  }
}

function toolText({ command, needs }: ToolStep): string {
  return `run ${command.args.join(' ')}${needs === undefined ? '' : `, where ${needs} is`}`
}

/** The same with what is done to containers, which no difference says. */
export function foreseenLines(step: Step, forecasts: ReadonlyMap<ResourceId, ComposeForecast>): readonly string[] {
  if (step.kind !== 'change' || step.resource !== 'compose') return stepLines(step)
  return step.changes.map((change) => projectText(change.id, forecasts.get(change.id)) ?? changeText(change))
}

function projectText(id: ResourceId, forecast: ComposeForecast | undefined): string | undefined {
  return forecast && `compose project ${parseResourceId(id).name}: ${forecastText(forecast)}`
}
