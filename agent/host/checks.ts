// What must hold after an apply: looked at again and again until it holds or its time is over.

import { type Command, endText, outputText, type Run } from '../../shared/command.ts'
import { PlumbError } from '../../shared/problem.ts'
import type { Check } from '../../shared/resource.ts'
import { httpAnswer, tcpFault } from './connect.ts'
import { pollUntil } from './poll.ts'
import { journalEnd, unitStatuses } from './systemd.ts'

export type CheckOptions = {
  /** A service just started may need a moment: how long it gets altogether. */
  readonly withinSeconds?: number
}

/** Resolves when the check holds; throws PlumbError `check-failed` with what was seen last. */
export async function runCheck(check: Check, run: Run, options: CheckOptions = {}): Promise<void> {
  const withinSeconds = options.withinSeconds ?? 30
  let seen = ''
  const attempt = async () => {
    const fault = await faultOf(check, run)
    seen = fault ?? ''
    return fault === undefined ? true : undefined
  }
  if (await pollUntil(attempt, { seconds: withinSeconds, pauseMs: 500 })) return
  throw new PlumbError({
    code: 'check-failed',
    message: `The check ${checkText(check)} did not hold within ${withinSeconds} s: ${seen}`,
    ...(check.kind === 'unit' ? { remedy: `See: journalctl -u ${check.unit}` } : {}),
  })
}

/** `http http://127.0.0.1/healthz`, as in service.yaml. */
export function checkText(check: Check): string {
  switch (check.kind) {
    case 'http':
      return `http ${check.url}`
    case 'tcp':
      return `tcp ${check.address}`
    case 'unit':
      return `unit ${check.unit}`
    case 'run':
      return `run \`${check.command}\``
  }
}

function faultOf(check: Check, run: Run): Promise<string | undefined> {
  switch (check.kind) {
    case 'http':
      return httpFault(check.url)
    case 'tcp':
      return tcpFault(check.address)
    case 'unit':
      return unitFault(check.unit, run)
    case 'run':
      return commandFault(check.command, run)
  }
}

async function httpFault(url: string): Promise<string | undefined> {
  const answer = await httpAnswer(url)
  if (answer.kind === 'fault') return answer.why
  return answer.status >= 200 && answer.status < 400 ? undefined : `it answered ${answer.status}`
}

async function unitFault(name: string, run: Run): Promise<string | undefined> {
  const unit = (await unitStatuses([name], run)).get(name)
  if (unit === undefined || unit.loadState === 'not-found') return 'there is no such unit'
  if (unit.activeState === 'active' || unit.activeState === 'reloading') return undefined
  if (unit.activeState === 'inactive' && unit.type === 'oneshot' && unit.result === 'success') return undefined
  const journal = await journalEnd(name, run)
  return `it is ${unit.activeState} (${unit.subState}, ${unit.result})${journal === '' ? '' : `. Its journal ends:\n${journal}`}`
}

async function commandFault(text: string, run: Run): Promise<string | undefined> {
  const command: Command = { args: ['sh', '-c', text], deadlineSeconds: 30 }
  const result = await run(command)
  if (result.code === 0) return undefined
  const output = outputText(result)
  return `${endText(command, result)}${output === '' ? '' : `:\n${output}`}`
}
