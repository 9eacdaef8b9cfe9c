// Hooks of a repository that hang, and whose children ignore to be told to end. Deadlines are those of this test: minutes are
// not waited for.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Run } from '../../shared/command.ts'
import { createRun } from '../../shared/platform/run.ts'
import type { DesiredService } from '../../shared/resource.ts'
import {
  applyIn,
  compareIn,
  desiredHost,
  file,
  idOf,
  makeWorld,
  outcome,
  service,
  treeOf,
  type World,
} from '../agent/apply/world.ts'

import { isRunning } from './arena.ts'

let world: World
const real = createRun({ graceSeconds: 0.2 })
const hasty: Run = (command) => real({ ...command, deadlineSeconds: 0.7 })

beforeEach(() => {
  world = makeWorld({ capabilities: { commands: true }, run: hasty })
})
afterEach(() => world.remove())

/** A shell and a child of it, both deaf to SIGTERM; they write down who they are, as often as they are started. */
const hang = () => `trap '' TERM; (echo hangs; trap '' TERM; sleep 600) & echo $$ $! >> ${pids()}; wait; sleep 600`
const pids = () => join(world.directory, 'pids')

const hooks: readonly (readonly [string, () => Partial<DesiredService> & { readonly ofFile?: string }, RegExp])[] = [
  ['validation of a file', () => ({ ofFile: hang() }), /^validate \/etc\/web$/],
  ['validation of a tree', () => ({ validate: [hang()] }), /^validate with trap/],
  [
    'trigger',
    () => ({ triggers: [{ on: [idOf('file', '/etc/web')], action: { kind: 'run', command: hang() } }] }),
    /^run trap/,
  ],
  ['check', () => ({ checks: [{ kind: 'run', command: hang() }] }), /^check run/],
]

test.each(hooks)(
  'a %s that hangs is ended with all its children, and its service is put back',
  async (_, hook, step) => {
    await applyIn(world, desiredHost([service('web', [file('/etc/web', 'one'), file('/etc/more', 'one')])]))
    const before = treeOf(world.root)
    const { ofFile, ...more } = hook()
    const next = desiredHost(
      [
        service(
          'web',
          [file('/etc/web', 'two', ofFile === undefined ? {} : { validate: ofFile }), file('/etc/more', 'two')],
          more,
        ),
        service('db', [file('/etc/db', 'of another service')]),
      ],
      '2',
    )

    const result = await applyIn(world, next)

    const web = outcome(result)
    expect(web).toMatchObject({ kind: 'failed', failure: { step: expect.stringMatching(step) } })
    expect(JSON.stringify(web)).toContain('sh did not end within')
    expect(treeOf(world.root).filter((line) => !line.includes('db '))).toEqual(before)
    expect(outcome(result, 'db')).toMatchObject({ kind: 'applied' })
    const started = readFileSync(pids(), 'utf8').trim().split(/\s/)
    expect(started.length).toBeGreaterThanOrEqual(2)
    expect(started.filter((pid) => isRunning(Number(pid)))).toEqual([])
    expect(world.state.journal.read()).toEqual([])
  },
)

test('a query that hangs stops nobody: its service is not applied and says why, the others are', async () => {
  const silent: Run = async (command) =>
    command.args[0] === 'dpkg-query'
      ? hasty({ args: ['sh', '-c', hang().replace('echo hangs; ', '')] })
      : hasty(command)
  const slow = makeWorld({ capabilities: { commands: true, packages: true }, run: silent })
  const packaged = { kind: 'package', id: idOf('package', 'nginx'), name: 'nginx' } as const
  const desired = desiredHost([
    service('web', [packaged, file('/etc/web', 'x')]),
    service('db', [file('/etc/db', 'x')]),
  ])
  try {
    const result = await applyIn(slow, desired)
    expect(outcome(result)).toMatchObject({ kind: 'skipped', reason: expect.stringContaining('did not end within') })
    expect(outcome(result, 'db')).toMatchObject({ kind: 'applied' })
    expect((await compareIn(slow, desired)).services.map(({ problems }) => problems.length)).toEqual([1, 0])
  } finally {
    slow.remove()
  }
})
