// Keys that alerts of several hosts share, so that one cause becomes one row and one message. Built from facts, never
// from alert texts. Pure.

import { createHash } from 'node:crypto'
import type { Finding } from '../../shared/finding.ts'
import { parseResourceId } from '../../shared/names.ts'
import type { Problem } from '../../shared/problem.ts'
import type { Failure } from '../../shared/report.ts'
import { visibleText } from '../../shared/visible-text.ts'
import type { CommonCause } from '../store/alerts.ts'

/** The same resources of a service drifted to the same content. */
export function sameDrift(kind: 'drift' | 'fight', service: string, findings: readonly Finding[]): CommonCause {
  const became = findings.map(({ resource, differences }) => [
    resource,
    differences.map(({ name, live }) => [name, live]),
  ])
  const [first, ...others] = findings
  const what = first === undefined || others.length > 0 ? service : nameOf(first.resource)
  return {
    key: keyOf([kind, service, became]),
    title: kind === 'drift' ? `${what} has drifted on {hosts}` : `Something keeps changing ${what} on {hosts}`,
  }
}

export function sameFailure(service: string, { revision, step, problem }: Failure): CommonCause {
  return {
    key: keyOf(['apply-failed', service, revision, step, problem.code]),
    title: `${service} could not be applied on {hosts}`,
  }
}

export function sameProblem(code: string, title: string, problems: readonly Problem[]): CommonCause {
  const said = problems.map(({ message, where }) => [message, where?.file, where?.line])
  return { key: keyOf(['agent-problem', code, said]), title: `${title} on {hosts}` }
}

export const bothOffline: CommonCause = { key: 'host-offline', title: 'Nothing is heard of {hosts}' }

export const noCheckFinished: CommonCause = { key: 'check-overdue', title: 'No check finishes on {hosts}' }

function keyOf(facts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex')
}

function nameOf(resource: string): string {
  return visibleText(parseResourceId(resource).name)
}
