// A plan as lines for people: one for each thing that would be done, in order.
import type { TriggerAction } from '../../shared/resource.ts'
import { checkText } from '../host/checks.ts'
import { isStaying } from '../resources/directory.ts'
import type { AttributeDifference, ResourceChange } from '../resources/kind.ts'
import { pathOf } from '../resources/paths.ts'
import { kindNameOf, kinds } from '../resources/registry.ts'
import { leaveText } from '../resources/returning.ts'
import type { Step } from './steps.ts'

/** `write /etc/motd (content, mode)`, `remove /etc/old`, `nginx.service: stopped, should be running`. */
export function changeText(change: ResourceChange): string {
  const { id, desired, differences } = change
  const kind = kindNameOf(id)
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
      return step.changes.map(changeText)
    case 'tools':
      return step.tools.map(({ command }) => `run ${command.args.join(' ')}`)
    case 'trigger':
      return [triggerText(step.action)]
    case 'check':
      return [`check ${checkText(step.check)}`]
  }
}

export function triggerText(action: TriggerAction): string {
  return action.kind === 'run' ? `run ${action.command}` : `${action.kind} ${action.unit}`
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
