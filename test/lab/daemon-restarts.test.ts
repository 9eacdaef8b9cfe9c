// Applies that restart what the agent itself listens to and works with: docker, podman's service, PID 1, D-Bus, journald, the network.
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest'
import { type Lab, labUnavailable, openLab } from '../../scripts/lab/lab.ts'
import { eventually } from '../../scripts/lab/waiting.ts'
import type { TestFiles } from '../support/git.ts'
import { importImages } from './compose-host.ts'
import { type FollowedHost, followedHost } from './followed-host.ts'

const reason = labUnavailable()
if (reason !== null) console.log(`restarted daemons on a real host cannot be shown here: ${reason}`)

const box = 'image: "localhost/box:1", init: true, command: sleep 100000'

describe.skipIf(reason !== null).each([
  ['docker', 'trixie-docker', 'docker.service'],
  ['podman', 'trixie-podman', 'podman.socket'],
] as const)('a host with %s', (engine, image, unit) => {
  let lab: Lab
  let followed: FollowedHost
  let started: string

  beforeAll(async () => {
    lab = openLab({ say: console.log })
    followed = await followedHost(lab, `${engine}-restarts`, { image })
    if (engine === 'podman') await followed.host.output(['systemctl', 'start', 'podman.socket'])
    await importImages(followed.host, engine)
    await followed.commit(fleet(`${engine}-restarts`, unit))
    await followed.install()
    started = await agentProcess()
  })

  afterAll(async () => {
    await followed?.close()
    lab?.close()
  })

  test.each([
    ['its engine', { 'services/engine/files/etc/engine-setting': 'two\n', ...daemonJson('5m') }],
    ['PID 1', { 'services/base/files/etc/reexec': 'two\n' }],
    ['D-Bus', { 'services/base/files/etc/dbus-setting': 'two\n' }],
    ['journald', { 'services/base/files/etc/journal-setting': 'two\n' }],
    ['the network', { 'services/base/files/etc/network-setting': 'two\n' }],
    [
      'PID 1 and its engine, while containers are made anew',
      {
        'services/base/files/etc/reexec': 'three\n',
        'services/engine/files/etc/engine-setting': 'three\n',
        'services/shop/compose.yaml': shop('sleep 100001'),
        ...daemonJson('6m'),
      },
    ],
  ] as const)('a commit that restarts %s is applied, and everything runs on', async (_, files) => {
    onTestFailed(async () => console.log(await followed.host.journal('plumb', 60)))

    const revision = await followed.commit(files)
    expect((await followed.host.exec(['plumb', 'apply'], { timeoutMs: 300_000 })).code).toBe(0)

    await followed.inSyncAt(revision)
    expect(await running()).toEqual(['shop-db-1', 'shop-web-1'])
    expect(await agentProcess()).toBe(started)
  })

  test('containers that are stopped afterwards are still seen at once', async () => {
    onTestFailed(async () => console.log(await followed.host.journal('plumb', 60)))

    await followed.host.output([engine, 'stop', '-t', '0', 'shop-web-1'])
    await followed.reportWith(({ services }) => /web: stopped/.test(JSON.stringify(services)))

    expect((await followed.host.exec(['plumb', 'apply'])).code).toBe(0)
    await followed.reportWith(({ services }) => services.every(({ findings }) => findings.length === 0))
  })

  // Podman has no daemon that could refuse its configuration.
  if (engine === 'docker')
    test('a configuration that docker does not start with is rolled back, containers and all', async () => {
      onTestFailed(async () => console.log(await followed.host.journal('plumb', 60)))
      const before = await followed.host.output(['cat', '/etc/docker/daemon.json'])

      await followed.commit({ 'services/engine/files/etc/docker/daemon.json': '{ "no-such-key": true }\n' })
      expect((await followed.host.exec(['plumb', 'apply'], { timeoutMs: 300_000 })).code).toBe(1)

      expect(await followed.host.output(['cat', '/etc/docker/daemon.json'])).toBe(before)
      expect(await running()).toEqual(['shop-db-1', 'shop-web-1'])
      expect(await agentProcess()).toBe(started)
    })

  function daemonJson(size: string): TestFiles {
    if (engine === 'podman') return {}
    return { 'services/engine/files/etc/docker/daemon.json': JSON.stringify({ 'log-opts': { 'max-size': size } }) }
  }

  async function running(): Promise<readonly string[]> {
    return (await followed.host.output([engine, 'ps', '--format', '{{.Names}}'])).trim().split('\n').toSorted()
  }

  /** Another one after each start of the agent. A PID 1 that is just being executed anew does not answer. */
  async function agentProcess(): Promise<string> {
    const show = ['systemctl', 'show', '-P', 'MainPID', 'plumb.service'] as const
    return await eventually('systemd answers', async () => (await followed.host.output(show)).trim())
  }
})

/** `shop` has a container that its engine starts again by itself, and one that it does not. */
function fleet(host: string, engineUnit: string): TestFiles {
  const base = Object.entries({
    reexec: 'run systemctl daemon-reexec',
    'dbus-setting': 'restart dbus.service',
    'journal-setting': 'restart systemd-journald.service',
    'network-setting': 'restart systemd-networkd.service',
  })
  return {
    'plumb.yaml': `version: 1\nhosts: { ${host}: { services: [base, engine, shop] } }\ndefaults: { syncEvery: 1h, checkEvery: 1h }\n`,
    'services/base/README.md': '# base\n',
    'services/base/service.yaml': `settle: 2s\nfiles:\n${base
      .map(([name, trigger]) => `  /etc/${name}: { triggers: [${trigger}] }\n`)
      .join('')}`,
    ...Object.fromEntries(base.map(([name]) => [`services/base/files/etc/${name}`, 'one\n'])),
    'services/engine/README.md': '# engine\n',
    'services/engine/service.yaml': `settle: 2s\nfiles:\n  /etc/engine-setting: { triggers: [restart ${engineUnit}] }\n${
      engineUnit === 'docker.service' ? '  /etc/docker/daemon.json: { triggers: [restart docker.service] }\n' : ''
    }`,
    'services/engine/files/etc/engine-setting': 'one\n',
    ...(engineUnit === 'docker.service' ? { 'services/engine/files/etc/docker/daemon.json': '{}\n' } : {}),
    'services/shop/README.md': '# shop\n',
    'services/shop/service.yaml': 'settle: 2s\n',
    'services/shop/compose.yaml': shop('sleep 100000'),
  }
}

function shop(command: string): string {
  return `services:
  web: { ${box.replace('sleep 100000', command)} }
  db: { ${box}, restart: always }
`
}
