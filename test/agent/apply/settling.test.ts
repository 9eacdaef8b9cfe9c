// Units are a fake's; a real one that crashes five seconds after its start is in test/lab/apply.test.ts.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createRun } from '../../../shared/platform/run.ts'
import type { DesiredService, UnitResource } from '../../../shared/resource.ts'
import { type FakeSystemd, fakeSystemd } from './fake-systemd.ts'
import { applyIn, desiredHost, file, idOf, makeWorld, outcome, service, type World } from './world.ts'

let world: World
let systemd: FakeSystemd

beforeEach(() => {
  systemd = fakeSystemd(() => world.root, createRun({ graceSeconds: 0.3 }))
  world = makeWorld({ capabilities: { commands: true, units: true }, run: systemd.run })
})
afterEach(() => world.remove())

const unit = (name: string): UnitResource => ({
  kind: 'unit',
  id: idOf('unit', name),
  name,
  enabled: true,
  state: 'running',
})
const served = (name: string, text: string, more: Partial<DesiredService> = {}) => {
  const path = `/etc/systemd/system/${name}.service`
  const triggers = [{ on: [idOf('file', path)], action: { kind: 'restart', unit: `${name}.service` } }] as const
  return service(name, [file(path, text), unit(`${name}.service`)], { settleSeconds: 1, triggers, ...more })
}
const after = (...names: readonly string[]) => ({ after: names.map((name) => service(name, []).name) })
const text = (name: string) => readFileSync(join(world.root, `etc/systemd/system/${name}.service`), 'utf8')

/** As soon as `name` was restarted for the `time`th time, it dies. */
function diesAfterRestart(name: string): void {
  const { run } = systemd
  const { files: _, ...host } = world.host
  const dying: World['host'] = {
    ...host,
    files: world.host.files,
    run: async (command) => {
      const result = await run(command)
      if (command.args.includes('restart') && command.args.includes(name))
        setTimeout(() => systemd.units.set(name, { active: false, enabled: true, failed: true }), 600)
      return result
    },
  }
  world = { ...world, host: dying }
}

test('a unit that dies in its settle time is put back, and its old version runs again', async () => {
  await applyIn(world, desiredHost([served('web', '[Service] one')]))
  diesAfterRestart('web.service')
  const result = await applyIn(world, desiredHost([served('web', '[Service] two')], '2'))
  expect(outcome(result)).toMatchObject({
    kind: 'failed',
    failure: {
      step: 'stay up for 1 s',
      problem: { code: 'check-failed', message: expect.stringContaining('web.service failed') },
    },
  })
  expect(text('web')).toBe('[Service] one')
  expect(systemd.units.get('web.service')).toMatchObject({ active: true, enabled: true })
  expect(world.state.journal.read()).toEqual([])
})

test('a unit that ends, without an error, before its settle time begins is put back', async () => {
  await applyIn(world, desiredHost([served('web', '[Service] one')]))
  const { run } = systemd
  let statusesAsked = 0
  const ending: World['host'] = {
    ...world.host,
    query: async (command) => {
      // The first question after the steps of the apply is that of the settle time.
      if (command.args.includes('show') && systemd.log.at(-1) === 'restart web.service' && statusesAsked++ === 0)
        systemd.units.set('web.service', { active: false, enabled: true, failed: false })
      return run(command)
    },
  }
  world = { ...world, host: ending }

  const result = await applyIn(world, desiredHost([served('web', '[Service] two')], '2'))

  expect(outcome(result)).toMatchObject({
    kind: 'failed',
    failure: { step: 'stay up for 1 s', problem: { message: expect.stringContaining('web.service no longer runs') } },
  })
  expect(text('web')).toBe('[Service] one')
})

test('services settle side by side; only those after one wait for it, and are not applied when it fails', async () => {
  const fleet = (version: string) => [
    served('web', `[Service] ${version}`),
    served('other', `[Service] ${version}`),
    service('app', [file('/srv/app', version)], after('web')),
  ]
  await applyIn(world, desiredHost(fleet('one')))
  diesAfterRestart('web.service')
  const from = systemd.log.length
  const result = await applyIn(world, desiredHost(fleet('two'), '2'))
  expect(result.services.map(({ service: name, kind }) => `${name}: ${kind}`)).toEqual([
    'web: failed',
    'other: applied',
    'app: skipped',
  ])
  expect(outcome(result, 'app')).toMatchObject({ reason: 'web, which it is after, was not applied.' })
  const [first, second] = systemd.log.slice(from).filter((line) => line.startsWith('restart'))
  expect([first, second]).toEqual(['restart web.service', 'restart other.service'])
  expect(text('other')).toBe('[Service] two')
  expect(readFileSync(join(world.root, 'srv/app'), 'utf8')).toBe('one')
})

test('what started nothing is committed at once', async () => {
  await applyIn(world, desiredHost([service('web', [file('/etc/a', 'one')], { settleSeconds: 3600 })]))
  expect(existsSync(join(world.root, 'etc/a'))).toBe(true)
})
