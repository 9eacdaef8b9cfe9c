// The proof of a restart for a changed unit of the agent. A unit can keep the new agent from ever coming up, and then no
// commit reaches the host any more: so before the restart a timer of systemd is set, which knows nothing of that unit
// and outlives a boot. It takes the change back unless the new agent has stopped it, as it does once it runs and has
// heard from its repository.

import type { Run } from '../shared/command.ts'
import { compact } from '../shared/compact.ts'
import { boundedProblem, type Problem } from '../shared/problem.ts'
import { agentUnit } from '../shared/repository/reserved.ts'
import { isOfKind } from '../shared/resource.ts'
import { restartAgent, startAgent } from './host/restart-agent.ts'
import { armRestartGuard, disarmRestartGuard, restartSeconds } from './host/restart-guard.ts'
import { daemonReload, journalEnd, stopUnits } from './host/systemd.ts'
import type { Plan, ServicePlan } from './plan/plan.ts'
import { pathInId, pathOf } from './resources/paths.ts'
import {
  type AgentRestart,
  keptFile,
  readAgentRestart,
  removeAgentRestart,
  restoreKeptFile,
  writeAgentRestart,
} from './state/agent-restart.ts'
import type { State } from './state/state.ts'

type Host = { readonly root: string; readonly run: Run }

/** Before the apply; undefined when nothing of it restarts the agent. */
export function agentRestartOf({ services, revision }: Plan, { root }: Host, state: State): AgentRestart | undefined {
  const restarting = services.filter(restartsAgent)
  if (restarting.length === 0) return undefined
  const failures = state.failures.read()
  return {
    revision,
    files: restarting.flatMap(pathsBehind).map((path) => keptFile(path, root)),
    services: restarting.map(({ service, before }) => {
      const failure = failures.get(service)
      return { service, ...compact({ baseline: before }), ...(failure ? { failure } : {}) }
    }),
  }
}

/** Returns when the restart is under way. Where no timer can be set, it is not begun: the change takes effect with the next start. */
export async function restartGuarded(restart: AgentRestart, host: Host, state: State): Promise<void> {
  await writeAgentRestart(state.directory, restart)
  try {
    const { files } = readAgentRestart(state.directory) ?? restart
    await armRestartGuard({ stateDirectory: state.directory, changed: files.map(({ path }) => path) }, host)
  } catch (error) {
    removeAgentRestart(state.directory)
    throw error
  }
  restartAgent()
}

/** By the new agent, when it has come up. */
export async function proveRestart(host: Host, state: State): Promise<void> {
  removeAgentRestart(state.directory)
  await disarmRestartGuard(host)
}

/** By the timer: what kept the new agent from coming up is put back, and the service that brought it has failed. */
export async function rollBackRestart({ root, run }: Host, state: State): Promise<void> {
  if (readAgentRestart(state.directory) === undefined) return await disarmRestartGuard({ root, run })
  try {
    // It may have come up at this very moment.
    await stopUnits([agentUnit], run)
    const restart = readAgentRestart(state.directory)
    if (restart === undefined) return
    const lock = await state.lock({ purpose: 'plumb agent', now: new Date(), waitSeconds: 600 })
    try {
      const journal = await journalEnd(agentUnit, run)
      for (const file of restart.files) restoreKeptFile(file, root)
      await daemonReload(run)
      await recordFailure(restart, journal, state)
      removeAgentRestart(state.directory)
    } finally {
      lock.release()
    }
  } finally {
    await startAgent(run)
  }
  await disarmRestartGuard({ root, run })
}

async function recordFailure({ services, revision }: AgentRestart, journal: string, state: State): Promise<void> {
  await state.baselines.write(services.flatMap(({ baseline }) => baseline ?? []))
  await state.baselines.remove(services.flatMap(({ service, baseline }) => (baseline === undefined ? [service] : [])))
  const problem = didNotComeUp(journal)
  for (const { service, failure } of services)
    state.failures.add({ service, revision, at: new Date(), step: `restart ${agentUnit}`, problem, earlier: failure })
}

function didNotComeUp(journal: string): Problem {
  const said = `the agent did not come up with it, or did not reach its repository, within ${restartSeconds} s: its unit is as it was before`
  return boundedProblem({
    code: 'apply-failed',
    message: journal === '' ? `${said}.` : `${said}. Its journal ended:\n${journal}\n`,
    remedy: `Correct the drop-in of ${agentUnit}; see more: journalctl -u ${agentUnit}`,
  })
}

export function restartsAgent(servicePlan: ServicePlan): boolean {
  return servicePlan.steps.some(({ kind }) => kind === 'restart-agent')
}

function pathsBehind(servicePlan: ServicePlan) {
  const ids = servicePlan.steps.flatMap((step) => (step.kind === 'restart-agent' ? step.of : []))
  return ids.filter((id) => pathInId(id) !== undefined && !isOfKind(id, 'directory')).map(pathOf)
}
