// What of a host does not answer makes the services that depend on it unknown, and leaves the others as they are.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { isInSync } from '../../../agent/plan/compare.ts'
import { stepLines } from '../../../agent/plan/text.ts'
import { composeKind } from '../../../agent/resources/compose.ts'
import type { CommandResult, Run } from '../../../shared/command.ts'
import { absolutePathSchema } from '../../../shared/names.ts'
import { stateOf } from '../../../shared/report.ts'
import type { ComposeResource, Resource, UnitResource } from '../../../shared/resource.ts'
import {
  applyIn,
  compareIn,
  desiredHost,
  file,
  idOf,
  makeWorld,
  outcome,
  planIn,
  reportsIn,
  service,
  sha,
  type World,
} from '../apply/world.ts'

let world: World
/** By program; what is not named is not installed. */
let answers: Readonly<Record<string, (args: readonly string[]) => Partial<CommandResult>>>

const run: Run = async ({ args: [program = '', ...args] }) => ({
  code: 127,
  stdout: '',
  stderr: '',
  ...answers[program]?.(args),
})

beforeEach(() => {
  answers = {}
  world = makeWorld({ run, capabilities: { packages: true, units: true, containers: true, commands: true } })
})
afterEach(() => world.remove())

const unit = (name: string): UnitResource => ({ kind: 'unit', id: idOf('unit', name), name, state: 'running' })
const project: ComposeResource = {
  kind: 'compose',
  id: idOf('compose', 'app'),
  project: 'app',
  directory: absolutePathSchema.parse('/srv/app'),
  file: absolutePathSchema.parse('/srv/app/compose.yaml'),
  sha256: sha('app'),
  files: [],
  state: 'running',
  registries: [],
  allowMounts: [],
  allow: [],
  moveMounts: [],
}
const timedOut = () => ({ code: 'deadline' as const })
const docker = (args: readonly string[]) =>
  args[0] === '--version' ? { code: 0, stdout: 'Docker version 28' } : { code: 1, stderr: 'Cannot connect' }
const stoppedUnits = (args: readonly string[]) => {
  const names = args.slice(args.indexOf('--') + 1)
  if (args.includes('is-enabled')) return { code: 0, stdout: names.map(() => 'enabled').join('\n') }
  const shown = (name: string) => `Id=${name}\nLoadState=loaded\nActiveState=inactive\nFragmentPath=/usr/lib/${name}`
  return { code: 0, stdout: names.map(shown).join('\n\n') }
}

const silent: readonly (readonly [string, Resource, typeof answers, RegExp])[] = [
  ['a unit query that times out', unit('x.service'), { systemctl: timedOut }, /state of units cannot be read/],
  [
    'a package manager that hangs',
    { kind: 'package', id: idOf('package', 'nginx'), name: 'nginx' },
    { 'dpkg-query': timedOut, dpkg: timedOut, rpm: timedOut, apk: timedOut, pacman: timedOut },
    /./,
  ],
  ['an engine that does not answer', project, { docker }, /docker does not answer: .*Cannot connect/],
]

test.each(silent)(
  '%s makes its service unknown: it is not applied, and the others are',
  async (_, one, answer, reason) => {
    answers = answer
    const desired = desiredHost([
      service('web', [one, file('/etc/web', 'web')]),
      service('behind', [file('/etc/behind', 'behind')], { after: [service('web', []).name] }),
      service('beside', [file('/etc/beside', 'beside')]),
    ])

    const result = await applyIn(world, desired, { repair: 'everything' })
    const reports = await reportsIn(world, desired)

    expect(outcome(result)).toMatchObject({ kind: 'skipped', reason: expect.stringMatching(reason) })
    expect(outcome(result, 'behind')).toMatchObject({
      kind: 'skipped',
      reason: 'web, which it is after, was not applied.',
    })
    expect(outcome(result, 'beside')).toMatchObject({ kind: 'applied' })
    expect(reports.map(stateOf)).toEqual(['unknown', 'pending', 'in-sync'])
    expect(reports[0]).toMatchObject({
      unknown: { problems: [{ code: 'observe-failed', message: expect.stringMatching(reason), service: 'web' }] },
      pending: [{ resource: 'file:/etc/web' }],
    })
    expect(isInSync(await compareIn(world, desired))).toBe(false)
  },
)

test('what this host cannot render is kept with its baseline, also in a purged directory, and is never taken for removed', async () => {
  const secret = file('/etc/web.d/secret', 'word')
  const whole = desiredHost([service('web', [secret, file('/etc/web.d/plain', 'one')])])
  await applyIn(world, whole)
  const lacking = service('web', [file('/etc/web.d/plain', 'two')], {
    withheld: {
      resources: [{ id: secret.id, path: secret.path }],
      problems: [{ code: 'secret-missing', message: 'the secret is not set.' }],
    },
  })
  const desired = desiredHost([lacking, service('beside', [file('/etc/beside', 'x')])], '2')

  const result = await applyIn(world, desired, { repair: 'everything' })

  expect(outcome(result)).toMatchObject({ kind: 'skipped' })
  expect(read('/etc/web.d/secret')).toBe('word')
  expect(read('/etc/web.d/plain')).toBe('one')
  expect([...(world.state.baselines.read().baselines.get(lacking.name)?.resources.keys() ?? [])]).toEqual([
    'file:/etc/web.d/secret',
    'file:/etc/web.d/plain',
  ])
  expect(outcome(result, 'beside')).toMatchObject({ kind: 'applied' })
  const [report] = await reportsIn(world, desired)
  expect(report).toMatchObject({ unknown: {}, findings: [], pending: [{ resource: 'file:/etc/web.d/plain' }] })
})

test('an apply that starts the engine brings up the projects that could not be seen, in its service and after it', async () => {
  answers = { docker, systemctl: stoppedUnits }
  const desired = desiredHost([
    service('engine', [unit('docker.service'), { ...project, id: idOf('compose', 'own'), project: 'own' }]),
    service('app', [project], { after: [service('engine', []).name] }),
  ])

  const plan = await planIn(world, desired, { repair: 'everything' })

  expect(plan.services.map(({ blocked }) => blocked)).toEqual([[], []])
  expect(plan.services.map(({ steps }) => steps.flatMap(stepLines))).toEqual([
    ['start docker.service', expect.stringMatching(/^compose project own: not known yet/)],
    [expect.stringMatching(/^compose project app: not known yet/)],
  ])
})

test('of a project that cannot be seen nothing is saved, so that an undo does not take it down', async () => {
  answers = { docker }
  const change = { id: project.id, desired: project, baseline: undefined, live: { attributes: {} }, differences: [] }

  expect(await composeKind.save([change], world.host)).toEqual([])
})

function read(path: string): string {
  return readFileSync(join(world.root, path), 'utf8')
}
