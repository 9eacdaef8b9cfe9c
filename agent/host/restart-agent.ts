// The agent's own restart, for a changed drop-in of its unit: begun when the apply is recorded, and waited for by nobody, since
// `systemctl restart` waits for the very process that would wait for it. And the timer beside it, which outlives the agent.
import { isSea } from 'node:sea'
import { type Run, whyText } from '../../shared/command.ts'
import { startChild } from '../../shared/platform/child.ts'
import { PlumbError } from '../../shared/problem.ts'
import { agentUnit } from '../../shared/repository/reserved.ts'
import { firstLine, shownUnits, systemctl, unitStatuses } from './systemd.ts'

/** How long a restarted agent may take to come up. */
export const restartSeconds = 90

/** Of main.ts: what the timer runs. */
export const takeBackVerb = 'take-back-agent-restart'

const guard = 'plumb-restart-guard'

/** systemd then stops this process as by any other stop. Without systemctl there is no unit to be restarted. */
export function restartAgent(): void {
  const child = startChild('systemctl', ['restart', '--no-block', agentUnit], {
    stdio: ['ignore', 'ignore', 'ignore'],
    detached: true,
  })
  child.unref()
}

/** Throws PlumbError when systemd does not set the timer. */
export async function armRestartGuard(stateDirectory: string, run: Run): Promise<void> {
  await disarmRestartGuard(run)
  const timer = ['--quiet', '--collect', `--unit=${guard}`, `--on-active=${restartSeconds}`]
  const own = isSea() ? [process.execPath] : [process.execPath, ...process.execArgv, process.argv[1] ?? '']
  const verb = [...own, takeBackVerb, '--state', stateDirectory]
  const command = { args: ['systemd-run', ...timer, '--timer-property=AccuracySec=1s', '--', ...verb] }
  const result = await run(command)
  if (result.code === 0) return
  throw new PlumbError({
    code: 'apply-failed',
    message: `${agentUnit} is not restarted for its changed unit, for nothing would take the change back if it did not come up: ${whyText(command, result, firstLine(result))}.`,
    remedy: `Restart it by hand: systemctl restart ${agentUnit}`,
  })
}

export async function disarmRestartGuard(run: Run): Promise<void> {
  await run(systemctl(['stop', `${guard}.timer`]))
}

/** Also one that has failed too often. */
export async function startAgent(run: Run): Promise<void> {
  await run(systemctl(['reset-failed', '--quiet', '--', agentUnit]))
  await run(systemctl(['start', '--no-block', '--', agentUnit]))
}

/** Of an installed agent that does not run: `failed (exit-code)`, `failing again and again (resources)`, `inactive`. */
export async function whyAgentIsDown(query: Run): Promise<string | undefined> {
  const unit = (await shownUnits([agentUnit], query)).get(agentUnit)
  if (unit?.loadState !== 'loaded') return undefined
  if (unit.subState.startsWith('auto-restart')) return `failing again and again (${unit.result})`
  if (!['failed', 'inactive'].includes(unit.activeState)) return undefined
  return unit.activeState === 'failed' ? `failed (${unit.result})` : unit.activeState
}

/** It is started at boot: that it does not run is nobody's wish. */
export async function isAgentEnabled(query: Run): Promise<boolean> {
  return (await unitStatuses([agentUnit], query)).get(agentUnit)?.enablement === 'enabled'
}
