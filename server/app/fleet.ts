// The fleet as the repository has it: fetched into the server's clone, parsed, and the last good one kept when a commit breaks it.
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Revision } from '../../shared/names.ts'
import { PlumbError, type Problem, problemsOf } from '../../shared/problem.ts'
import { emptyFleet, type Fleet } from '../../shared/repository/fleet.ts'
import { parseInTurns } from '../../shared/repository/parse.ts'
import type { Repository } from '../../shared/repository/repository.ts'
import type { FleetClone } from '../repository/clone.ts'
import type { CommitView } from '../show/views.ts'
import type { Clock } from './clock.ts'

export type FleetState = {
  readonly head: CommitView | undefined
  /** The last successful fetch. */
  readonly fetchedAt: string | undefined
  readonly fleet: Fleet
  readonly services: Repository['services']
  /** What is wrong with the head revision. */
  readonly invalid: readonly Problem[]
  /** Why the last fetch failed, and since when none succeeded (by the clock that only runs forward). */
  readonly unreachable: { readonly problem: Problem; readonly since: number } | undefined
}

export type FleetSource = {
  readonly url: string
  branch(): Promise<string | undefined>
  state(): FleetState
  /** Reads what the clone has, without the network. */
  open(): Promise<FleetState>
  /** Never rejects: what went wrong is in the state. */
  refresh(): Promise<{ readonly moved: boolean; readonly state: FleetState }>
}

export function createFleetSource(clone: FleetClone, clock: Clock): FleetSource {
  let state: FleetState = {
    head: undefined,
    fetchedAt: undefined,
    fleet: emptyFleet,
    services: new Map(),
    invalid: [],
    unreachable: undefined,
  }
  const adopt = async (head: CommitView | undefined): Promise<boolean> => {
    if (head === undefined || head.revision === state.head?.revision) return false
    state = { ...state, head, ...(await described(head.revision)) }
    return true
  }
  return {
    url: clone.url,
    branch: () => clone.branch(),
    state: () => state,
    async open() {
      await adopt(await clone.head())
      return state
    },
    async refresh() {
      const outcome = await clone.fetch()
      const moved = await adopt(outcome.head)
      if (outcome.kind === 'failed') {
        const since = state.unreachable?.since ?? clock.elapsed()
        state = { ...state, unreachable: { problem: outcome.problem, since } }
      } else {
        state = { ...state, unreachable: undefined, fetchedAt: clock.now().toISOString() }
      }
      return { moved, state }
    },
  }

  /** An invalid head leaves the fleet as it was known; without an earlier one, what can be read of it is better than nothing. */
  async function described(revision: Revision): Promise<Pick<FleetState, 'fleet' | 'services' | 'invalid'>> {
    try {
      const { repository, problems } = await parseInTurns(await clone.tree(revision), () => nextTurn())
      const keepsLastGood = problems.length > 0 && state.head !== undefined
      return { ...(keepsLastGood ? { fleet: state.fleet, services: state.services } : repository), invalid: problems }
    } catch (thrown) {
      if (!(thrown instanceof PlumbError)) throw thrown
      return { fleet: state.fleet, services: state.services, invalid: problemsOf(thrown) }
    }
  }
}
