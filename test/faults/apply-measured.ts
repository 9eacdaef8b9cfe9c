// Run by disk.test.ts: applies one service to a world that is there already, and says how much memory that took at its peak.
import { openHost } from '../../agent/host/host.ts'
import { openState } from '../../agent/state/state.ts'
import { createRun } from '../../shared/platform/run.ts'
import { applyIn, desiredHost, directory, file, service } from '../agent/apply/world.ts'

const [, , home = '', root = '', stateDirectory = '', what = ''] = process.argv
const run = createRun()
const state = openState(stateDirectory)
const host = openHost({ root, run, hashes: state.hashes })
const resource = what === 'purge' ? directory('/d', { purge: true }) : file('/f', 'small')
const desired = desiredHost([service('web', [resource])], '2')
const result = await applyIn({ directory: home, root, state, host, run, again: never, remove: never }, desired, {
  repair: 'everything',
})
const [outcome] = result.services
// In KiB, by getrusage(2).
const peakMiB = process.resourceUsage().maxRSS / 1024
console.log(
  JSON.stringify({ kind: outcome?.kind, changes: outcome?.kind === 'applied' ? outcome.changes : [], peakMiB }),
)

function never(): never {
  throw new Error('the test that started this process does that')
}
