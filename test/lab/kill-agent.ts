// An agent on a real host, bundled and copied there by kills.test.ts: recovers, or applies one of the two revisions, and tells
// on a line of JSON what came of it. It may be killed at any moment (test/faults/kill-at.ts).

import { recover } from '../../agent/apply/recover.ts'
import { runApply } from '../../agent/apply-run.ts'
import { openHost } from '../../agent/host/host.ts'
import { isInSync } from '../../agent/plan/compare.ts'
import { openState } from '../../agent/state/state.ts'
import { createRun } from '../../shared/platform/run.ts'
import { problemLine } from '../../shared/problem.ts'
import { contents } from '../agent/apply/world.ts'
import { agentWithRevision } from '../faults/agent.ts'
import { operationsHere } from '../faults/operations.ts'
import { killFleet } from './kill-fleet.ts'

const [, , what = ''] = process.argv
const state = openState('/var/lib/plumb')
const host = openHost({ root: '/', run: createRun(), hashes: state.hashes })
void (what === 'recover' ? recovered() : applied(what === '1' ? 1 : 2)).then((told) => {
  console.log(JSON.stringify({ ...told, operations: operationsHere().length }))
  process.exit(0)
})

async function recovered() {
  const lock = await state.lock({ purpose: 'recover', now: new Date() })
  try {
    const { undone, finished, problems } = await recover(state, host, { lock, answering: async () => [] })
    return { undone, finished, problems: problems.map(problemLine) }
  } finally {
    lock.release()
  }
}

async function applied(revision: 1 | 2) {
  const lock = await state.lock({ purpose: 'apply', now: new Date() })
  try {
    const desired = { desired: killFleet(revision), contents }
    const agent = agentWithRevision({ host, state })
    const acted = await runApply(agent, desired, lock, { repair: 'everything', full: false })
    const failed = acted.result.services.filter(({ kind }) => kind === 'failed' || kind === 'skipped')
    const unsettled = isInSync(acted.inspection.comparison) ? [] : ['out of sync after the apply']
    return { problems: [...acted.problems.map(problemLine), ...failed.map((one) => JSON.stringify(one)), ...unsettled] }
  } finally {
    lock.release()
  }
}
