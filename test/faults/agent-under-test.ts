// An agent as a process of its own, bundled and started by kills.ts: goes through phases on a world that is there already
// and tells after each, on a line of JSON, what it did. It may be killed at any moment (kill-at.ts).
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { recover } from '../../agent/apply/recover.ts'
import { runApply } from '../../agent/apply-run.ts'
import { answering } from '../../agent/host/contact.ts'
import { openHost } from '../../agent/host/host.ts'
import type { Agent } from '../../agent/inspect.ts'
import { isInSync } from '../../agent/plan/compare.ts'
import { openState, type State } from '../../agent/state/state.ts'
import { createRun } from '../../shared/platform/run.ts'
import { problemLine } from '../../shared/problem.ts'
import { contents } from '../agent/apply/world.ts'
import { agentWithRevision } from './agent.ts'
import { askingRun } from './asking.ts'
import { type RevisionNumber, revisionOf } from './fleet.ts'
import { type Operation, operationsHere } from './operations.ts'

export type Phase = 'recover' | 'apply'

export type Instructions = {
  /** Holds `root`, `state` and `bin`. */
  readonly world: string
  readonly seed: number
  readonly revision: RevisionNumber
  readonly phases: readonly Phase[]
  /** The server that it must stay in contact with. */
  readonly server: string
  /** Wait for a line after each phase, so that somebody can look. */
  readonly waits: boolean
}

export type PhaseDone = {
  readonly phase: Phase
  readonly operations: readonly Operation[]
  /** What went wrong or, for an apply, was not well in the end. */
  readonly problems: readonly string[]
  readonly changes: readonly string[]
  /** Of each service that is recorded as applied, the revision. */
  readonly applied: Readonly<Record<string, number>>
}

const instructions: Instructions = JSON.parse(process.argv[2] ?? '')
const { world, seed, revision, phases, server, waits } = instructions
const desired = { desired: revisionOf(seed, revision, join(world, 'root')), contents }
const contacts = [{ name: 'server', kind: 'http', url: server }] as const
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()

void main()

async function main(): Promise<void> {
  for (const phase of phases) {
    const done = await (phase === 'recover' ? recovered() : applied())
    const operations = operationsHere().splice(0)
    console.log(JSON.stringify({ phase, operations, ...done } satisfies PhaseDone))
    if (waits) await lines.next()
  }
  process.exit(0)
}

async function recovered() {
  const { host, state } = openAgent()
  const lock = await state.lock({ purpose: 'recover', now: new Date() })
  try {
    const { problems } = await recover(state, host, { lock, answering: () => answering(contacts) })
    return { problems: problems.map(problemLine), changes: [], applied: appliedIn(state) }
  } finally {
    lock.release()
  }
}

async function applied() {
  const agent = openAgent()
  const lock = await agent.state.lock({ purpose: 'apply', now: new Date() })
  try {
    const changes: string[] = []
    const onChange = ({ summary }: { readonly summary: string }) => changes.push(summary)
    const acted = await runApply(agent, desired, lock, { repair: 'everything', full: false, onChange })
    const failed = acted.result.services.filter(({ kind }) => kind === 'failed' || kind === 'skipped')
    const unsettled = isInSync(acted.inspection.comparison) ? [] : ['out of sync after the apply']
    const problems = [...acted.problems.map(problemLine), ...failed.map((one) => JSON.stringify(one)), ...unsettled]
    return { problems, changes, applied: appliedIn(agent.state) }
  } finally {
    lock.release()
  }
}

function appliedIn({ baselines }: State): PhaseDone['applied'] {
  const known = baselines.read().baselines.values()
  return Object.fromEntries([...known].map(({ service, revision: applied }) => [service, Number(applied)]))
}

/** Opened for each phase: what an earlier one remembers in memory is not to help. */
function openAgent(): Agent {
  const run = askingRun(createRun({ path: `${join(world, 'bin')}:/usr/bin:/bin`, graceSeconds: 0.3 }))
  const state = openState(join(world, 'state'))
  const sandbox = openHost({ root: join(world, 'root'), run, hashes: state.hashes })
  const able = { packages: true, units: true, containers: true, commands: true }
  const host = { ...sandbox, capabilities: { ...sandbox.capabilities, ...able } }
  return agentWithRevision({ name: desired.desired.host, host, state, contacts })
}
