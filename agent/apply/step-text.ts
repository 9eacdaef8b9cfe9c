// The step that failed, for people: `validate /etc/caddy/Caddyfile`, `restart caddy.service`.
import { problemsOf } from '../../shared/problem.ts'
import { agentUnit } from '../../shared/repository/reserved.ts'
import { checkText } from '../host/checks.ts'
import type { Step } from '../plan/steps.ts'
import { kinds } from '../resources/registry.ts'
import { actionText } from '../resources/trigger-text.ts'

export function stepText(step: Step | undefined, error: unknown): string {
  const problem = error === undefined ? undefined : problemsOf(error)[0]
  const invalid = problem?.code === 'validation-failed' ? problem.where?.file : undefined
  if (invalid !== undefined) return `validate ${invalid}`
  if (step === undefined) return 'record what was applied'
  switch (step.kind) {
    case 'change':
      return kinds[step.resource].stepText(problem?.where?.file)
    case 'tools':
      return `run ${step.tools.map(({ command }) => command.args[0]).join(', ')}`
    case 'validate':
      return `validate with ${step.command}`
    case 'trigger':
      return actionText(step.action)
    case 'check':
      return `check ${checkText(step.check)}`
    case 'restart-agent':
      return `restart ${agentUnit}`
  }
}
