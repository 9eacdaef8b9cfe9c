// The agent's own restart, for a changed drop-in of its unit: begun when the apply is recorded, and not waited for, since
// `systemctl restart` waits for the very process that would wait for it.
import type { Run } from '../../shared/command.ts'
import { startChild } from '../../shared/platform/child.ts'
import { agentUnit } from '../../shared/repository/reserved.ts'
import { shownUnits, systemctl, unitStatuses } from './systemd.ts'

/** systemd then stops this process as by any other stop. Without systemctl there is no unit to be restarted. */
export function restartAgent(): void {
  const child = startChild('systemctl', ['restart', '--no-block', agentUnit], {
    stdio: ['ignore', 'ignore', 'ignore'],
    detached: true,
  })
  child.unref()
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

/** The agent is enabled at boot, so it is not stopped on purpose. */
export async function isAgentEnabled(query: Run): Promise<boolean> {
  return (await unitStatuses([agentUnit], query)).get(agentUnit)?.enablement === 'enabled'
}
