// Run by recover.test.ts: applies revision N of a generated fleet to a world that is there already, until it is killed.
import { openHost } from '../../../agent/host/host.ts'
import { openState } from '../../../agent/state/state.ts'
import { createRun } from '../../../shared/platform/run.ts'
import { generation } from './generation.ts'
import { applyIn } from './world.ts'

const [, , directory = '', root = '', stateDirectory = '', revision = '1', killer = ''] = process.argv
const run = createRun()
const state = openState(stateDirectory)
const sandbox = openHost({ root, run, hashes: state.hashes })
const host = { ...sandbox, capabilities: { ...sandbox.capabilities, commands: killer !== '' } }
const world = { directory, root, state, host, run, again: never, remove: never }
console.log('applying')
await applyIn(world, generation(Number(revision), killer))
console.log('applied')

function never(): never {
  throw new Error('the test that started this process does that')
}
