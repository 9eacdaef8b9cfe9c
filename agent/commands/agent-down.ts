// Whether the agent of this host runs, for the verbs: what they show is not kept so while it does not.

import type { Run } from '../../shared/command.ts'
import { createRun } from '../../shared/platform/run.ts'
import type { Problem } from '../../shared/problem.ts'
import { agentUnit } from '../../shared/repository/reserved.ts'
import { isAgentEnabled, startAgent, whyAgentIsDown } from '../host/restart-agent.ts'
import { defaultState } from './configuration.ts'

type Places = { readonly root: string; readonly state: string }

/** One that was never installed is missed by nobody. */
export async function agentDown({ root, state }: Places, query: Run = createRun()): Promise<readonly Problem[]> {
  if (root !== '/' || state !== defaultState) return []
  const why = await whyAgentIsDown(query).catch(() => undefined)
  if (why === undefined) return []
  return [
    {
      code: 'agent-not-running',
      message: `the agent is not running: ${agentUnit} is ${why}. What was found last may have changed since, and nothing is applied.`,
      remedy: `Start it: plumb apply, or systemctl start ${agentUnit}. Its log: journalctl -u ${agentUnit}`,
    },
  ]
}

/** True: it was down, though it is started at boot, and is started now. */
export async function startAgentIfDown({ root, state }: Places, run: Run): Promise<boolean> {
  if (root !== '/' || state !== defaultState) return false
  try {
    if ((await whyAgentIsDown(run)) === undefined || !(await isAgentEnabled(run))) return false
    await startAgent(run)
    return true
  } catch {
    return false
  }
}
