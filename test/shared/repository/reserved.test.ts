// What the agent lives from is nothing that a repository can have, by any name that every host knows it by.
import { expect, test } from 'vitest'
import { fleetOf, linesOf } from './tree.ts'

test.each([
  'files/etc/plumb/agent.yaml',
  'files/etc/plumb/secrets/db',
  'files/var/lib/plumb/identity.pem',
  'files/run/plumb-docker.x/config.json',
  'files/var/run/plumb/socket',
  'files/usr/local/bin/plumb',
  'files/etc/systemd/system/plumb.service',
  'files/etc/systemd/system/plumb-restart-guard.timer',
  'units/plumb-restart-guard.service.d/own.conf',
  'files/run/systemd/system/plumb-restart-guard.timer.d/own.conf',
  'files/lib/systemd/system/plumb.service',
  'files/usr/lib/systemd/system/plumb.service',
  'files/run/systemd/system/plumb.service',
  'files/etc/systemd/system/multi-user.target.wants/plumb.service',
  'units/plumb.service',
])('%s is refused', (path) => {
  expect(linesOf(fleetOf({ [`services/a/${path}`]: 'x' }))).toEqual([
    expect.stringMatching(/no repository writes in .*, which is the system's or the agent's own/),
  ])
})

test.each([
  'units/plumb.service.d/proxy.conf',
  'files/etc/systemd/system/plumb.service.d/proxy.conf',
  'files/etc/plumbing/x',
  'files/usr/local/bin/plumber',
  'files/etc/systemd/system/plumb.service.wants/x',
])('%s is not', (path) => {
  expect(linesOf(fleetOf({ [`services/a/${path}`]: 'x' }))).toEqual([])
})

test.each([
  ['files/srv/x', '/var/lib/plumb'],
  ['files/srv/x', '../etc/plumb/secrets'],
  ['files/srv/deep/x', '../../var/run/plumb'],
  ['files/usr/bin/plumb', '../local/bin/plumb'],
  ['files/etc/systemd/system/alias.service', 'plumb.service'],
  ['files/lib/systemd/system/alias.service', '/lib/systemd/system/plumb.service'],
])('a link at %s to %s is refused', (path, link) => {
  expect(linesOf(fleetOf({ [`services/a/${path}`]: { link } }))).toEqual([
    expect.stringContaining("which is the agent's own"),
  ])
})

test.each(['/dev/null', '/proc/self/mounts', '../var/lib/plumbing', '/srv/data'])('a link to %s is not', (link) => {
  expect(linesOf(fleetOf({ 'services/a/files/srv/x': { link } }))).toEqual([])
})

test.each([
  ['directories: { /etc/plumb: { purge: true } }', /agent's own/],
  ['directories: { /var/run/plumb: {} }', /agent's own/],
  ['directories: { /etc: { owner: bob } }', /stays root's own/],
  ['directories: { /usr/local/bin: { mode: "0777" } }', /holds \/usr\/local\/bin\/plumb/],
  ['directories: { /var/lib: { mode: "0775", group: web } }', /holds \/var\/lib\/plumb/],
  ['units: { plumb.service: { masked: true } }', /does not stop itself/],
  ['units: { plumb.service: { enabled: false } }', /does not stop itself/],
  ['units: { plumb.service: { state: stopped } }', /does not stop itself/],
])('%s is refused', (settings, reason) => {
  expect(linesOf(fleetOf({ 'services/a/service.yaml': `${settings}\n` }))).toEqual([expect.stringMatching(reason)])
})

test.each([
  'directories: { /usr/local/bin: { purge: true } }',
  'directories: { /etc/systemd/system/plumb.service.d: { purge: true } }',
  'units: { plumb.service: { enabled: true, state: running } }',
])('%s is not', (settings) => {
  expect(linesOf(fleetOf({ 'services/a/service.yaml': `${settings}\n` }))).toEqual([])
})
