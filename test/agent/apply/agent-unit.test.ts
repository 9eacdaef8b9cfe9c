// The agent's own unit: what changes it is applied and recorded like anything else, and the restart comes after all of that.
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { proveRestart, restartGuarded, rollBackRestart } from '../../../agent/agent-restart.ts'
import { type ApplyRun, runApply } from '../../../agent/apply-run.ts'
import { agentDown } from '../../../agent/commands/agent-down.ts'
import { armRestartGuard } from '../../../agent/host/restart-guard.ts'
import type { Agent } from '../../../agent/inspect.ts'
import { stepLines } from '../../../agent/plan/text.ts'
import { type AgentRestart, readAgentRestart, writeAgentRestart } from '../../../agent/state/agent-restart.ts'
import type { Repository } from '../../../agent/sync/repository.ts'
import { hostNameSchema, serviceNameSchema } from '../../../shared/names.ts'
import { createRun } from '../../../shared/platform/run.ts'
import type { DesiredHost, DesiredService, Resource } from '../../../shared/resource.ts'
import { type FakeSystemd, fakeSystemd } from './fake-systemd.ts'
import { contents, desiredHost, file, idOf, makeWorld, planIn, service, type World } from './world.ts'

let world: World
let systemd: FakeSystemd

beforeEach(() => {
  systemd = fakeSystemd(() => world.root, createRun({ graceSeconds: 0.3 }))
  world = makeWorld({ capabilities: { commands: true, units: true }, run: systemd.run })
  mkdirSync(join(world.root, 'etc/systemd/system'), { recursive: true })
  systemd.units.set('plumb.service', { active: true, enabled: true, failed: false })
})
afterEach(() => world.remove())

const dropIn = (text = 'one') => file('/etc/systemd/system/plumb.service.d/proxy.conf', text)
const implied = {
  triggers: [{ on: [dropIn().id], action: { kind: 'restart' as const, unit: 'plumb.service' } }],
}
const web = (resources: readonly Resource[], more: Partial<DesiredService> = {}, revision = '1') =>
  desiredHost([service('web', resources, more)], revision)

async function act(desired: DesiredHost): Promise<ApplyRun> {
  const lock = await world.state.lock({ purpose: 'test', now: new Date(), waitSeconds: 5 })
  const agent: Agent = {
    name: hostNameSchema.parse('web-1'),
    host: world.host,
    state: world.state,
    repository: {} as Repository,
    secretsDirectory: join(world.directory, 'secrets'),
    contacts: [],
  }
  try {
    return await runApply(agent, { desired, contents }, lock, { repair: 'everything', full: false })
  } finally {
    lock.release()
  }
}

const recorded = () => [
  ...(world.state.baselines.read().baselines.get(serviceNameSchema.parse('web'))?.resources.keys() ?? []),
]

const members: readonly (readonly [string, readonly Resource[], Partial<DesiredService>])[] = [
  ['a drop-in', [dropIn()], implied],
  [
    'a trigger of another file',
    [file('/etc/environment', 'x')],
    { triggers: [{ on: [idOf('file', '/etc/environment')], action: { kind: 'restart', unit: 'plumb.service' } }] },
  ],
  [
    'a units: entry beside a drop-in',
    [
      dropIn(),
      { kind: 'unit', id: idOf('unit', 'plumb.service'), name: 'plumb.service', enabled: true, state: 'running' },
    ],
    implied,
  ],
]

test.each(members)('%s: the agent restarts when all is recorded, and never within the apply', async (_, own, more) => {
  const desired = web(own, more)
  const { services } = await planIn(world, desired)
  const lines = services.flatMap(({ steps }) => steps.flatMap(stepLines))
  expect(lines.at(-1)).toBe('restart plumb.service, when all of this is recorded')

  const acted = await act(desired)

  expect(acted.restartsAgent).toBeDefined()
  expect(acted.result.services).toMatchObject([{ kind: 'applied' }])
  expect(systemd.log.filter((line) => line.includes('plumb.service'))).toEqual([])
  expect(recorded()).toEqual(own.map(({ id }) => id))
  expect(world.state.journal.read()).toEqual([])
  expect((await act(desired)).restartsAgent).toBeUndefined()
})

test('a drop-in that leaves restarts the agent, too', async () => {
  await act(web([dropIn()], implied))
  const acted = await act(web([], {}, '2'))
  expect(acted.restartsAgent).toBeDefined()
  expect(systemd.log).not.toContain('restart plumb.service')
})

test('it is not restarted where it does not run, nor by an apply that failed', async () => {
  const failing = { ...implied, checks: [{ kind: 'run' as const, command: 'false' }] }
  expect((await act(web([dropIn()], failing))).restartsAgent).toBeUndefined()
  systemd.units.set('plumb.service', { active: false, enabled: true, failed: false })
  expect((await act(web([dropIn('two')], implied, '2'))).restartsAgent).toBeUndefined()
})

describe('an agent that does not come up with its changed unit', () => {
  const path = 'etc/systemd/system/plumb.service.d/proxy.conf'
  const failures = () => world.state.failures.read().get('web')
  const hostOf = (run = systemd.run) => ({ root: world.root, run })
  beforeEach(() => writeFileSync(join(world.root, 'etc/systemd/system/plumb.service'), '[Service]'))

  /** As `restartGuarded` leaves it, and the timer finds it. */
  async function takenBack({ restartsAgent }: Pick<ApplyRun, 'restartsAgent'>) {
    await writeAgentRestart(world.state.directory, restartsAgent as AgentRestart)
    systemd.units.set('plumb.service', { active: false, enabled: true, failed: true })
    systemd.log.length = 0
    await rollBackRestart(hostOf(), world.state)
  }

  test('has it back as it was, and the service that brought it has failed', async () => {
    await act(web([dropIn('good')], implied))
    const acted = await act(web([dropIn('bad'), file('/etc/other', 'x')], implied, '2'))
    await takenBack(acted)
    expect(readFileSync(join(world.root, path), 'utf8')).toBe('good')
    expect(systemd.log).toEqual([
      'stop plumb.service',
      'daemon-reload',
      'reset-failed plumb.service',
      'start plumb.service',
    ])
    expect(systemd.units.get('plumb.service')).toMatchObject({ active: true })
    expect(failures()).toMatchObject({ step: 'restart plumb.service', attempts: 1, problem: { code: 'apply-failed' } })
    const lines = (await planIn(world, web([dropIn('bad'), file('/etc/other', 'x')], implied, '2'))).services
    expect(lines.flatMap(({ steps }) => steps.flatMap(stepLines))).toEqual([
      'write /etc/systemd/system/plumb.service.d/proxy.conf (content)',
      'run systemctl daemon-reload',
      'restart plumb.service, when all of this is recorded',
    ])
    expect(readAgentRestart(world.state.directory)).toBeUndefined()
  })

  test.each([
    ['a drop-in that came', [], [dropIn()], undefined],
    ['a drop-in that left', [dropIn('one')], [], 'one'],
  ])('%s', async (_, before, after, content) => {
    await act(web(before, before.length > 0 ? implied : {}))
    await takenBack(await act(web(after, after.length > 0 ? implied : {}, '2')))
    expect(existsSync(join(world.root, path))).toBe(content !== undefined)
    if (content !== undefined) expect(readFileSync(join(world.root, path), 'utf8')).toBe(content)
    expect(recorded()).toEqual(before.map(({ id }) => id))
  })

  test('waits longer each time the same revision fails', async () => {
    await takenBack(await act(web([dropIn()], implied)))
    await takenBack(await act(web([dropIn()], implied)))
    expect(failures()).toMatchObject({ attempts: 2 })
  })

  test('keeps what was before the first of several changes that no agent came up with', async () => {
    await act(web([dropIn('good')], implied))
    await writeAgentRestart(
      world.state.directory,
      (await act(web([dropIn('bad')], implied, '2'))).restartsAgent as AgentRestart,
    )
    await takenBack(await act(web([dropIn('worse')], implied, '3')))
    expect(readFileSync(join(world.root, path), 'utf8')).toBe('good')
  })

  const guardFiles = () =>
    readdirSync(join(world.root, 'etc/systemd/system'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.includes('plumb-restart-guard'))
      .toSorted()
  const guardText = (kind: string) =>
    readFileSync(join(world.root, `etc/systemd/system/plumb-restart-guard.${kind}`), 'utf8')
  const armed = ({ restartsAgent }: Pick<ApplyRun, 'restartsAgent'>, run = systemd.run) =>
    armRestartGuard(
      { stateDirectory: '/var/lib/plumb', changed: restartsAgent?.files.map((one) => one.path) ?? [] },
      hostOf(run),
    )

  test('the guard outlives a boot, and goes when one has come up, and nothing is taken back', async () => {
    const acted = await act(web([dropIn()], implied))
    await writeAgentRestart(world.state.directory, acted.restartsAgent as AgentRestart)
    systemd.log.length = 0
    await armed(acted)
    expect(systemd.log).toEqual([
      'daemon-reload',
      'enable plumb-restart-guard.timer',
      'stop plumb-restart-guard.timer',
      'start plumb-restart-guard.timer',
    ])
    expect(guardFiles()).toEqual(['plumb-restart-guard.service', 'plumb-restart-guard.timer'])
    expect(guardText('timer')).toMatch(/OnActiveSec=90\n[\s\S]*\[Install\]\nWantedBy=timers\.target\n/)
    expect(guardText('service')).toContain('"take-back-agent-restart" "--state" "/var/lib/plumb"')
    systemd.log.length = 0
    await proveRestart(hostOf(), world.state)
    expect(systemd.log).toEqual(['disable plumb-restart-guard.timer', 'daemon-reload'])
    expect(guardFiles()).toEqual([])
    await rollBackRestart(hostOf(), world.state)
    expect(existsSync(join(world.root, path))).toBe(true)
    expect(systemd.log).toHaveLength(2)
  })

  test('the guard goes when it has taken the change back, and when there was nothing to take back', async () => {
    const acted = await act(web([dropIn()], implied))
    await armed(acted)
    await takenBack(acted)
    expect(guardFiles()).toEqual([])
    await armed(acted)
    await rollBackRestart(hostOf(), world.state)
    expect(guardFiles()).toEqual([])
  })

  test('units that are cut off in the middle of being written or removed are removed', async () => {
    const acted = await act(web([dropIn()], implied))
    for (const kind of ['service', 'timer']) {
      await armed(acted)
      rmSync(join(world.root, `etc/systemd/system/plumb-restart-guard.${kind}`))
      await proveRestart(hostOf(), world.state)
      expect(guardFiles()).toEqual([])
    }
  })

  test('every user may read the units of the guard, as those of systemd', async () => {
    const acted = await act(web([dropIn()], implied))
    await armed(acted)
    for (const kind of ['service', 'timer']) {
      const { mode } = statSync(join(world.root, `etc/systemd/system/plumb-restart-guard.${kind}`))
      expect((mode & 0o777).toString(8)).toBe('644')
    }
  })

  test('a drop-in of all services does not keep the guard from its work', async () => {
    const all = ['/etc/systemd/system/service.d/a.conf', '/usr/lib/systemd/system/service.d/b.conf'].map((at) =>
      file(at, 'x'),
    )
    const triggers = [{ ...implied.triggers[0], on: all.map(({ id }) => id) }] as DesiredService['triggers']
    await armed(await act(web(all, { triggers })))
    expect(guardFiles().slice(1, 4)).toEqual([
      'plumb-restart-guard.service.d',
      'plumb-restart-guard.service.d/a.conf',
      'plumb-restart-guard.service.d/b.conf',
    ])
    expect(readlinkSync(join(world.root, 'etc/systemd/system/plumb-restart-guard.service.d/a.conf'))).toBe('/dev/null')
  })

  test('is not restarted where no timer can be set, and nothing is left of the guard', async () => {
    const { restartsAgent } = await act(web([dropIn()], implied))
    const run: typeof systemd.run = async (command) =>
      command.args.includes('enable') ? { code: 1, stdout: '', stderr: 'no bus' } : systemd.run(command)
    await expect(restartGuarded(restartsAgent as AgentRestart, hostOf(run), world.state)).rejects.toThrow('no bus')
    expect(readAgentRestart(world.state.directory)).toBeUndefined()
    expect(guardFiles()).toEqual([])
  })
})

const known = { LoadState: 'loaded', ActiveState: 'active', Result: 'success' }
test.each([
  ['runs', known, undefined],
  ['was never installed', { LoadState: 'not-found' }, undefined],
  ['has failed', { ...known, ActiveState: 'failed', Result: 'resources' }, 'plumb.service is failed (resources)'],
  [
    'never comes up',
    { ...known, ActiveState: 'activating', SubState: 'auto-restart', Result: 'resources' },
    'plumb.service is failing again and again (resources)',
  ],
  ['was stopped', { ...known, ActiveState: 'inactive' }, 'plumb.service is inactive'],
])('an agent that %s', async (_, properties, said) => {
  const stdout = Object.entries(properties).map(([key, value]) => `${key}=${value}\n`)
  const query = async () => ({ code: 0, stdout: stdout.join(''), stderr: '' })
  const [problem] = await agentDown({ root: '/', state: '/var/lib/plumb' }, query)
  expect(problem?.message).toEqual(said === undefined ? undefined : expect.stringContaining(said))
  expect(await agentDown({ root: '/', state: '/var/lib/other' }, query)).toEqual([])
})
