// The fleet of the repository: fetched into the server's clone and parsed. A broken commit leaves the last good fleet in force.
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Revision } from '../../shared/names.ts'
import { millisecondsSince, trace } from '../../shared/platform/trace.ts'
import { PlumbError, type Problem, problemLine, problemsOf } from '../../shared/problem.ts'
import { emptyFleet, type Fleet } from '../../shared/repository/fleet.ts'
import { parseInTurns } from '../../shared/repository/parse.ts'
import type { Repository } from '../../shared/repository/repository.ts'
import type { FetchOutcome, FleetClone } from '../repository/clone.ts'
import type { CommitView } from '../show/views.ts'
import type { Clock } from './clock.ts'

export type FleetState = {
  readonly head: CommitView | undefined
  /** Time of the last successful fetch. */
  readonly fetchedAt: string | undefined
  readonly fleet: Fleet
  readonly services: Repository['services']
  /** What is wrong with the head revision. */
  readonly invalid: readonly Problem[]
  /** Why the last fetch failed, and since when none has succeeded (monotonic clock). */
  readonly unreachable: { readonly problem: Problem; readonly since: number } | undefined
}

export type FleetSource = {
  readonly url: string
  branch(): Promise<string | undefined>
  state(): FleetState
  /** Reads the clone, without network access. */
  open(): Promise<FleetState>
  /** Never rejects: errors are in the state. */
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
  const useHead = async (head: CommitView | undefined): Promise<boolean> => {
    if (head === undefined || head.revision === state.head?.revision) return false
    state = { ...state, head, ...(await described(head.revision)) }
    return true
  }
  return {
    url: clone.url,
    branch: () => clone.branch(),
    state: () => state,
    async open() {
      await useHead(await clone.head())
      return state
    },
    async refresh() {
      const started = performance.now()
      const outcome = await clone.fetch()
      trace('fetch ended', () => ({ ...fetchFacts(clone.url, outcome), milliseconds: millisecondsSince(started) }))
      const moved = await useHead(outcome.head)
      if (outcome.kind === 'failed') {
        const since = state.unreachable?.since ?? clock.elapsed()
        state = { ...state, unreachable: { problem: outcome.problem, since } }
      } else {
        state = { ...state, unreachable: undefined, fetchedAt: clock.now().toISOString() }
      }
      return { moved, state }
    },
  }

  /** An invalid head leaves the known fleet in force. Without a known fleet, the readable part of the head is used. */
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

function fetchFacts(repository: string, outcome: FetchOutcome): Readonly<Record<string, unknown>> {
  const { kind, head } = outcome
  const problem = kind === 'failed' ? { problem: problemLine(outcome.problem) } : {}
  return { repository, outcome: kind, revision: head?.revision, ...problem }
}
