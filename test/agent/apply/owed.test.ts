// The net under path identity: what an apply undid itself is never left as drift.
import { appendFileSync, chmodSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type ApplyRun, runApply } from '../../../agent/apply-run.ts'
import { differingText } from '../../../agent/commands/apply.ts'
import type { HostWriter } from '../../../agent/host/host.ts'
import type { Agent } from '../../../agent/inspect.ts'
import { isInSync } from '../../../agent/plan/compare.ts'
import { owedAfter } from '../../../agent/plan/owed.ts'
import type { ResourceChange } from '../../../agent/resources/kind.ts'
import type { Repository } from '../../../agent/sync/repository.ts'
import { findingSchema } from '../../../shared/finding.ts'
import { absolutePathSchema, hostNameSchema } from '../../../shared/names.ts'
import type { ServiceReport } from '../../../shared/report.ts'
import type { DesiredHost } from '../../../shared/resource.ts'
import {
  applyIn,
  compareIn,
  contents,
  desiredHost,
  directory,
  file,
  makeWorld,
  outcome,
  planIn,
  service,
  treeOf,
  type World,
} from './world.ts'

let world: World
beforeEach(() => {
  world = makeWorld()
})
afterEach(() => world.remove())

const at = (path: string) => join(world.root, path)

async function act(desired: DesiredHost, host: HostWriter = world.host): Promise<ApplyRun> {
  const lock = await world.state.lock({ purpose: 'test', now: new Date(), waitSeconds: 5 })
  const agent: Agent = {
    ...{ host, state: world.state, contacts: [], repository: {} as Repository },
    name: hostNameSchema.parse('web-1'),
    secretsDirectory: join(world.directory, 'secrets'),
  }
  try {
    return await runApply(agent, { desired, contents }, lock, { repair: 'everything', full: false })
  } finally {
    lock.release()
  }
}

/** A host on which the end of an apply changes something, so often: as a script of a package or a trigger does. */
function changing(change: () => void, times: number): HostWriter {
  let left = times
  const { files } = world.host
  const syncDirectories = async () => {
    await files.syncDirectories()
    if (left === 0) return
    left -= 1
    change()
  }
  return { ...world.host, files: { ...files, syncDirectories } }
}

/** A host on which the end of an apply takes a path away, so often. */
function losing(path: string, times: number): HostWriter {
  return changing(() => rmSync(at(path)), times)
}

test('a link of the host that one service replaces by a directory: what another one has below it is there', async () => {
  const desired = desiredHost([
    service('site', [file('/srv/www/index', 'x')]),
    service('base', [directory('/srv/www')]),
  ])
  await applyIn(world, desired)
  mkdirSync(at('/data'))
  renameSync(at('/srv/www'), at('/data/www'))
  symlinkSync('/data/www', at('/srv/www'))

  const { inspection, result, problems } = await act(desired)

  expect(readFileSync(at('/srv/www/index'), 'utf8')).toBe('x')
  expect(isInSync(inspection.comparison)).toBe(true)
  expect(problems).toEqual([])
  expect(result.services).toMatchObject([{ kind: 'applied' }, { kind: 'applied' }])
})

test('what is gone right after its apply is applied once more, and told of as one apply', async () => {
  const desired = desiredHost([service('web', [file('/etc/a', 'a'), file('/etc/b', 'b')])])

  const { inspection, report, problems } = await act(desired, losing('/etc/a', 1))

  expect(isInSync(inspection.comparison)).toBe(true)
  expect(problems).toEqual([])
  expect(report?.changes.map(({ summary }) => summary)).toEqual([
    'wrote /etc/a (new)',
    'wrote /etc/b (new)',
    'wrote /etc/a (new)',
  ])
})

test('what is gone after the second apply, too, is a problem and not only drift', async () => {
  const desired = desiredHost([service('web', [file('/etc/a', 'a')])])
  const { inspection, problems } = await act(desired, losing('/etc/a', 2))
  expect(isInSync(inspection.comparison)).toBe(false)
  expect(problems).toMatchObject([{ code: 'apply-failed', message: expect.stringContaining('/etc/a') }])
})

test('what a step of the same service took away undoes the service, with the path in the reason', async () => {
  await applyIn(world, desiredHost([service('web', [file('/etc/kept', 'x')])]))
  const before = treeOf(world.root)
  const { files } = world.host
  const kept = absolutePathSchema.parse('/etc/kept')
  const part = () => {
    const own = files.part()
    return {
      ...own,
      publish: (path: typeof kept) => {
        own.publish(path)
        own.moveAway(kept)
      },
    }
  }
  const desired = desiredHost([service('web', [file('/etc/kept', 'x'), file('/etc/new', 'x')])], '2')

  const { result } = await act(desired, { ...world.host, files: { ...files, part } })

  expect(outcome(result)).toMatchObject({
    kind: 'failed',
    failure: { problem: { where: { file: '/etc/kept' }, message: expect.stringContaining('is missing right after') } },
  })
  expect(treeOf(world.root)).not.toContain('/etc/new')
  expect(before.some((line) => line.startsWith('etc/kept'))).toBe(true)
})

const installing = { id: 'package:web', differences: [], desired: { kind: 'package' } } as unknown as ResourceChange

const scripts: readonly [string, () => void][] = [
  ['the mode', () => chmodSync(at('/etc/a'), 0o600)],
  ['the content', () => appendFileSync(at('/etc/a'), 'more')],
  ['the type', () => rmSync(at('/etc/a'))],
]
const cases = scripts.flatMap(([what, change]) =>
  [true, false].flatMap((isInstalling) =>
    ([{ ignore: 'x' }, 'alert', 'repair'] as const).map((onDrift) => ({ what, change, isInstalling, onDrift })),
  ),
)

test.each(cases)('owed: $what was changed, with packages: $isInstalling, drift: $onDrift', async (one) => {
  const { what, change, isInstalling, onDrift } = one
  const desired = desiredHost([service('web', [file('/etc/a', 'a'), file('/etc/b', 'b')], { onDrift })])
  await applyIn(world, desired)
  const before = await compareIn(world, desired)
  const plan = await planIn(world, desired)
  change()
  const after = await compareIn(world, desired)
  const changes = { kind: 'change', resource: 'package', changes: [installing] } as const
  const services = plan.services.map((each) => ({ ...each, steps: isInstalling ? [changes] : [] }))
  const done = new Set(services.map(({ service: name }) => name))
  const { resources } = owedAfter({ ...plan, services }, done, { before, after })
  const isOwed = what === 'the type' || (isInstalling && typeof onDrift === 'string')
  expect([...resources]).toEqual(isOwed ? ['file:/etc/a'] : [])
})

test.each<[string, () => void]>([
  ['content', () => appendFileSync(at('/etc/a'), 'more')],
  ['mode', () => chmodSync(at('/etc/a'), 0o600)],
])(
  '%s that a command of the apply changed is not done again without a package, and the last line says it',
  async (what, change) => {
    const desired = desiredHost([service('web', [file('/etc/a', 'a'), file('/etc/b', 'b')])])
    const { inspection, changedSince, result } = await act(desired, changing(change, 1))
    expect([...changedSince]).toEqual(['file:/etc/a'])
    expect(isInSync(inspection.comparison)).toBe(false)
    const summary = `/etc/a: ${what} differs`
    const finding = findingSchema.parse({
      resource: 'file:/etc/a',
      summary,
      differences: [],
      diffCut: false,
      evidence: {},
    })
    const reports = [{ service: 'web', findings: [finding], pending: [] }] as unknown as readonly ServiceReport[]
    expect(differingText(reports, { services: result.services, changedSince })).toBe(
      `: web: ${summary} (changed after this apply made it so: by a command or a package that it ran, or by a program)`,
    )
  },
)
