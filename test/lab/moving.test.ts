// A service that moves from one host to another, in one commit: the first is left as if it had never had it.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { LabHost } from '../../scripts/lab/host.ts'
import { type Lab, labUnavailable, openLab } from '../../scripts/lab/lab.ts'
import { importImages } from './compose-host.ts'
import { type FollowedHost, followedHost } from './followed-host.ts'
import { traceOf, unitState } from './seen.ts'

const reason = labUnavailable()
if (reason !== null) console.log(`a service that moves cannot be shown here: ${reason}`)

describe.skipIf(reason !== null)('two hosts of one repository', () => {
  let lab: Lab
  let first: FollowedHost
  let second: FollowedHost

  beforeAll(async () => {
    lab = openLab({ say: console.log })
    first = await followedHost(lab, 'first', { image: 'trixie-docker' })
    second = await followedHost(lab, 'second', { image: 'trixie-docker', beside: first })
    await Promise.all([first, second].map(({ host }) => importImages(host, 'docker')))
    await first.commit(files({ first: ['base', 'other'], second: ['base', 'other'] }))
    await Promise.all([first, second].map((one) => one.install()))
  })

  afterAll(async () => {
    await second?.close()
    await first?.close()
    lab?.close()
  })

  test('a service with files, units and containers leaves the first one clean and is all there on the second', async () => {
    first.tellMoreOnFailure()
    second.tellMoreOnFailure()
    const [bare, elsewhere] = [await stateOf(first.host), await stateOf(second.host)]
    const here = await first.commit(files({ first: ['base', 'moving', 'other'], second: ['base', 'other'] }))
    await Promise.all([first, second].map((one) => one.inSyncAt(here)))
    const brought = broughtTo(bare, await stateOf(first.host))
    expect(brought).toEqual(
      expect.arrayContaining([expect.stringMatching(/^\/etc\/moving\/deep\/moving\.conf f 600 root:root/)]),
    )
    expect(brought).toEqual(expect.arrayContaining(['moving.service enabled active', 'moving-app-1 running']))
    expect(await stateOf(second.host)).toEqual(elsewhere)
    await first.host.output(['docker', 'exec', 'moving-app-1', 'sh', '-c', 'echo written > /data/own'])

    const moved = await first.commit(files({ first: ['base', 'other'], second: ['base', 'moving', 'other'] }))
    await Promise.all([first, second].map((one) => one.inSyncAt(moved)))

    expect(await stateOf(first.host)).toEqual(bare)
    expect(broughtTo(elsewhere, await stateOf(second.host))).toEqual(brought)
    expect(await second.host.output(['docker', 'exec', 'moving-app-1', 'cat', '/etc/app.conf'])).toBe('app\n')
    // What containers wrote is nobody's to delete.
    expect(await first.host.output(['docker', 'volume', 'ls', '--quiet'])).toBe('moving_data\n')
    expect(await second.host.exec(['docker', 'exec', 'moving-app-1', 'cat', '/data/own'])).toMatchObject({ code: 1 })
  })
})

/** Paths with modes, owners and content, units and containers, a line each. */
async function stateOf(host: LabHost): Promise<readonly string[]> {
  const lines = [
    await traceOf(host, ['/etc', '/usr/local', '/srv'], []),
    `moving.service ${await unitState(host, 'moving.service')}`,
    await host.output(['docker', 'ps', '--all', '--format', '{{.Names}} {{.State}}']),
    await host.output(['docker', 'network', 'ls', '--format', 'network {{.Name}}']),
  ]
  return lines.flatMap((text) => text.trim().split('\n')).toSorted()
}

function broughtTo(before: readonly string[], after: readonly string[]): readonly string[] {
  return after.filter((line) => !before.includes(line))
}

function files(hosts: Readonly<Record<'first' | 'second', readonly string[]>>) {
  return {
    'plumb.yaml': `version: 1
hosts:
  first: { services: [${hosts.first.join(', ')}] }
  second: { services: [${hosts.second.join(', ')}] }
defaults: { syncEvery: 1s, checkEvery: 5s }
`,
    'services/base/README.md': 'What both have.\n',
    'services/base/files/etc/motd': 'one of two\n',
    'services/other/README.md': 'What both have as well.\n',
    'services/other/service.yaml': 'settle: 0s\n',
    'services/other/compose.yaml': composeOf('other'),
    'services/moving/README.md': 'On one of them.\n',
    'services/moving/service.yaml':
      'settle: 0s\nfiles: { /etc/moving/deep/moving.conf: { mode: "0600", triggers: [restart moving.service] } }\n',
    'services/moving/files/etc/moving/deep/moving.conf': 'moving\n',
    'services/moving/files/usr/local/bin/moving': { executable: '#!/bin/sh\nexec sleep infinity\n' },
    'services/moving/files/srv/moving/link': { link: '/etc/moving' },
    'services/moving/units/moving.service':
      '[Service]\nExecStart=/usr/local/bin/moving\n[Install]\nWantedBy=multi-user.target\n',
    'services/moving/units/moving.service.d/nice.conf': '[Service]\nNice=5\n',
    'services/moving/compose.yaml': composeOf('moving'),
    'services/moving/app.conf': 'app\n',
  }
}

function composeOf(name: string): string {
  const mounts = name === 'moving' ? '    volumes: [ "./app.conf:/etc/app.conf:ro", "data:/data" ]\n' : ''
  return `services:
  app:
    image: localhost/box:1
    init: true
    command: sleep 100000
${mounts}${name === 'moving' ? 'volumes: { data: {} }\n' : ''}`
}
