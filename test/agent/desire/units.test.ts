// What a service wants of systemd, by convention and by service.yaml.
import { expect, test } from 'vitest'
import { desiredService, type Files, ofKind } from './fleet.ts'

async function unitsOf(files: Files) {
  const service = await desiredService(files)
  return {
    // Links: install-links.test.ts.
    units: Object.fromEntries(
      ofKind('unit', service).map(({ name, kind: _, id: __, links: ___, ...unit }) => [name, unit]),
    ),
    triggers: service.triggers.map(
      ({ on, action }) => `${JSON.stringify(action.kind)} ${'unit' in action ? action.unit : ''} on ${on.join(' ')}`,
    ),
  }
}

test('a unit of units/ goes to /etc/systemd/system, is enabled and running, and restarted when its file changes', async () => {
  const service = await desiredService({ 'services/a/units/app.service': { executable: '[Service]\n' } })
  expect(service.resources).toMatchObject([
    { kind: 'file', id: 'file:/etc/systemd/system/app.service', mode: 0o644 },
    {
      kind: 'unit',
      id: 'unit:app.service',
      enabled: true,
      state: 'running',
      file: 'file:/etc/systemd/system/app.service',
    },
  ])
  expect(service.triggers).toEqual([
    { on: ['file:/etc/systemd/system/app.service'], action: { kind: 'restart', unit: 'app.service' } },
  ])
})

test('a service that its timer, socket or path unit starts is neither enabled nor started', async () => {
  const { units, triggers } = await unitsOf({
    'services/a/units/job.service': '',
    'services/a/units/job.timer': '',
    'services/a/units/web.service': '',
    'services/a/units/web.socket': '',
  })
  expect(units).toEqual({
    'job.service': { file: 'file:/etc/systemd/system/job.service' },
    'job.timer': { enabled: true, state: 'running', file: 'file:/etc/systemd/system/job.timer' },
    'web.service': { file: 'file:/etc/systemd/system/web.service' },
    'web.socket': { enabled: true, state: 'running', file: 'file:/etc/systemd/system/web.socket' },
  })
  expect(triggers).toEqual([
    '"restart" job.timer on file:/etc/systemd/system/job.timer',
    '"restart" web.service on file:/etc/systemd/system/web.service',
    '"restart" web.socket on file:/etc/systemd/system/web.socket',
  ])
})

test('unless service.yaml says so', async () => {
  const { units } = await unitsOf({
    'services/a/units/job.service': '',
    'services/a/units/job.timer': '',
    'services/a/service.yaml': 'units: { job.service: { enabled: true }, job.timer: { state: stopped } }\n',
  })
  expect(units).toMatchObject({ 'job.service': { enabled: true }, 'job.timer': { enabled: true, state: 'stopped' } })
  expect(units['job.service']).not.toHaveProperty('state')
})

test('units of packages are kept as far as service.yaml says, and {} means enabled and running', async () => {
  const { units } = await unitsOf({
    'services/a/service.yaml': 'units: { a.service: {}, b.timer: { enabled: false }, c.service: { state: stopped } }\n',
  })
  expect(units).toEqual({
    'a.service': { enabled: true, state: 'running' },
    'b.timer': { enabled: false },
    'c.service': { state: 'stopped' },
  })
})

test('a masked unit is that and nothing else, whatever else would hold of it', async () => {
  const { units } = await unitsOf({
    'services/a/files/etc/containers/systemd/app.container': '',
    'services/a/units/worker@.service': '',
    'services/a/service.yaml':
      'units: { a.timer: { masked: true }, app.service: { masked: true }, worker@1.service: { masked: true } }\n',
  })
  expect(units).toMatchObject({ 'a.timer': { masked: true }, 'app.service': { masked: true } })
  expect(Object.values(units).flatMap((unit) => [unit.enabled, unit.state])).toEqual(Array(6).fill(undefined))
})

test('quadlets of users are files alone: their units are not of the system', async () => {
  const { units, triggers } = await unitsOf({
    'services/a/files/etc/containers/systemd/users/app.container': '',
    'services/a/files/etc/containers/systemd/users/1000/app.container': '',
    'services/a/files/etc/systemd/user/app.service': '',
  })
  expect({ units, triggers }).toEqual({ units: {}, triggers: [] })
})

test('validation commands and the settle time are the service', async () => {
  const yaml = 'validate: [nginx -t -q, "true"]\nsettle: 1m\n'
  expect(await desiredService({ 'services/a/service.yaml': yaml })).toMatchObject({
    validate: ['nginx -t -q', 'true'],
    settleSeconds: 60,
  })
  expect(await desiredService({ 'services/a/files/etc/a': '' })).toMatchObject({ validate: [], settleSeconds: 10 })
})

test('a template is a file alone; its instances are units with that file, restarted with it', async () => {
  const { units, triggers } = await unitsOf({
    'services/a/units/worker@.service': '',
    'services/a/units/other@.service': '',
    'services/a/units/app.slice': '',
    'services/a/service.yaml': 'units: { worker@1.service: {}, worker@2.service: {} }\n',
  })
  const file = 'file:/etc/systemd/system/worker@.service'
  expect(units).toEqual({
    'worker@1.service': { enabled: true, state: 'running', file },
    'worker@2.service': { enabled: true, state: 'running', file },
  })
  expect(triggers).toEqual([`"restart" worker@1.service on ${file}`, `"restart" worker@2.service on ${file}`])
})

test('a drop-in is a file that restarts its unit, own or of a package; drop-ins of many units restart the agent alone', async () => {
  const { units, triggers } = await unitsOf({
    'services/a/units/app.service': '',
    'services/a/units/app.service.d/limits.conf': '',
    'services/a/units/nginx.service.d/limits.conf': '',
    'services/a/units/service.d/all.conf': '',
    'services/a/units/user-.slice.d/x.conf': '',
  })
  expect(Object.keys(units)).toEqual(['app.service'])
  expect(triggers).toEqual([
    '"restart" app.service on file:/etc/systemd/system/app.service file:/etc/systemd/system/app.service.d/limits.conf',
    '"restart" nginx.service on file:/etc/systemd/system/nginx.service.d/limits.conf',
    '"restart" plumb.service on file:/etc/systemd/system/service.d/all.conf',
  ])
})

test("a file's own triggers stand in for the implied restart", async () => {
  const { triggers } = await unitsOf({
    'services/a/units/app.service': '',
    'services/a/service.yaml': 'files: { /etc/systemd/system/app.service: { triggers: [reload app.service] } }\n',
  })
  expect(triggers).toEqual(['"reload" app.service on file:/etc/systemd/system/app.service'])
})

test('a quadlet is a file whose generated unit runs and is restarted with it', async () => {
  const { units, triggers } = await unitsOf({
    'services/a/files/etc/containers/systemd/app.container': '',
    'services/a/files/etc/containers/systemd/app.container.d/x.conf': '',
    'services/a/files/etc/containers/systemd/group.pod': '',
    'services/a/files/etc/containers/systemd/cache.volume': '',
  })
  expect(units).toEqual({
    'app.service': { state: 'running', file: 'file:/etc/containers/systemd/app.container' },
    'group-pod.service': { state: 'running', file: 'file:/etc/containers/systemd/group.pod' },
  })
  expect(triggers).toHaveLength(3)
  expect(triggers.join('\n')).toContain('file:/etc/containers/systemd/app.container.d/x.conf')
})

test.each([
  ['units/service.d/limits.conf', ['restart plumb.service']],
  ['units/plumb.service.d/proxy.conf', ['restart plumb.service']],
  ['files/etc/systemd/system/service.d/limits.conf', ['restart plumb.service']],
  ['files/usr/lib/systemd/system/service.d/limits.conf', ['restart plumb.service']],
  ['files/lib/systemd/system/service.d/limits.conf', ['restart plumb.service']],
  ['files/usr/local/lib/systemd/system/plumb.service.d/limits.conf', ['restart plumb.service']],
  ['units/plumb-.service.d/limits.conf', []],
  ['files/usr/lib/systemd/system/service.d/limits.txt', []],
  ['units/timer.d/limits.conf', []],
  ['files/etc/systemd/user/service.d/limits.conf', []],
])('what systemd reads for the agent restarts it, and no other service: %s', async (path, expected) => {
  const { triggers } = await desiredService({
    [`services/a/${path}`]: '[Service]\nLimitNOFILE=12\n',
    'services/a/units/web.service': '[Service]\nExecStart=/bin/sleep 1\n',
  })
  const target = path.replace(/^units/, '/etc/systemd/system').replace(/^files/, '')
  const own = triggers.filter(({ on }) => on.some((id) => id === `file:${target}`))
  expect(own.map(({ action }) => ('unit' in action ? `${action.kind} ${action.unit}` : ''))).toEqual(expected)
})
