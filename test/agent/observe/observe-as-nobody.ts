// Run by observe.test.ts as an ordinary user, who may not read everything.
import { openHost } from '../../../agent/host/host.ts'
import { observeHost } from '../../../agent/observe/observe.ts'
import { createRun } from '../../../shared/platform/run.ts'
import { desiredHost, file, service } from '../apply/world.ts'

const [, , root = ''] = process.argv
const host = openHost({ root, run: createRun() })
const desired = desiredHost([service('web', [file('/secret/f', 'x'), file('/open', 'x')])])
const live = await observeHost(desired, new Map(), host, { full: false })
const problems = [...live.problems.values()].map(({ code, where, remedy }) => ({ code, where, remedy }))
console.log(JSON.stringify({ problems, seen: [...live.resources.keys()] }))
