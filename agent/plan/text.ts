// A plan as lines for people: one for each thing that would be done, in order.
import type { ResourceId } from '../../shared/names.ts'
import { agentUnit } from '../../shared/repository/reserved.ts'
import type { TriggerAction } from '../../shared/resource.ts'
import { checkText } from '../host/checks.ts'
import type { ToolStep } from '../host/tools.ts'
import { type ComposeForecast, forecastText } from '../resources/compose-forecast.ts'
import { isStaying } from '../resources/directory.ts'
import type { AttributeDifference, ResourceChange } from '../resources/kind.ts'
import { pathOf } from '../resources/paths.ts'
import { kindNameOf, kinds } from '../resources/registry.ts'
import { leaveText } from '../resources/returning.ts'
import { actionText } from '../resources/trigger-text.ts'
import { unitPlanText } from '../resources/unit-actions.ts'
import { type Foreseen, isUnit } from './forecast.ts'
import type { Step } from './steps.ts'

/** `write /etc/motd (content, mode)`, `remove /etc/old`, `enable and start nginx.service`. */
export function changeText(change: ResourceChange): string {
  const { id, desired, differences } = change
  const kind = kindNameOf(id)
  if (isUnit(change)) return unitPlanText(change)
  if (kind === 'package' || kind === 'unit' || kind === 'compose') return kinds[kind].describe(id, differences)
  const path = pathOf(id)
  if (desired === undefined) return isStaying(change) ? `leave ${path}: it is not empty` : leaveText(change)
  if (desired.kind === 'symlink') return `link ${path} to ${desired.target}`
  if (desired.kind === 'directory') return directoryText(path, differences)
  return `write ${path} (${reasonText(differences)})`
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
      return triggerLines(step.action, step.foreseen)
    case 'check':
      return [`check ${checkText(step.check)}`]
    case 'restart-agent':
      return [`restart ${agentUnit}, when all of this is recorded`]
  }
}

/** Nothing of a unit that does not run, or that this very apply starts. */
function triggerLines(action: TriggerAction, foreseen: Foreseen): readonly string[] {
  const text = actionText(action)
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
  return forecast && `compose project ${id.slice(id.indexOf(':') + 1)}: ${forecastText(forecast)}`
}

function directoryText(path: string, differences: readonly AttributeDifference[]): string {
  const extra = differences.find(({ name }) => name === 'extra')
  if (extra !== undefined) return `remove from ${path}: ${extra.live}`
  const isMade = differences.some(({ name }) => name === 'type')
  return isMade ? `make ${path}` : `correct ${path} (${reasonText(differences)})`
}

function reasonText(differences: readonly AttributeDifference[]): string {
  const type = differences.find(({ name }) => name === 'type')
  if (type === undefined) return differences.map(({ name }) => name).join(', ')
  return type.live === 'missing' ? 'new' : `is a ${type.live}`
}
