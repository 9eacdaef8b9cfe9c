// What `systemctl show` printed on Debian 12 (systemd 252) and 13 (257), recorded on booted hosts.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parseShow, type UnitStatus } from '../../../agent/host/systemd.ts'
import { compareSubject } from '../../../agent/resources/registry.ts'
import { unitKind } from '../../../agent/resources/unit.ts'
import { unitAttributes } from '../../../agent/resources/unit-state.ts'
import { resourceId } from '../../../shared/names.ts'
import type { UnitResource } from '../../../shared/resource.ts'

const names252 = [
  'plain.service',
  'missing.service',
  'once.service',
  'dbus-org.freedesktop.login1.service',
  'crashing.service',
  'conditional.service',
  'bad.service',
  'apt-daily.timer',
  'dbus.socket',
  'systemd-tmpfiles-setup.service',
]
const names257 = [
  'docker.service',
  'missing.service',
  'docker.socket',
  'systemd-modules-load.service',
  'apt-daily.timer',
]
const units = new Map([...recorded('show-257.txt', names257), ...recorded('show-252.txt', names252)])

test.each([
  ['plain.service', { type: 'unit', enabled: 'yes', state: 'running' }],
  ['once.service', { type: 'unit', enabled: 'yes', state: 'finished' }],
  ['crashing.service', { type: 'unit', enabled: 'until reboot', state: 'restarting' }],
  ['conditional.service', { type: 'unit', enabled: 'yes', state: 'skipped' }],
  ['bad.service', { type: 'unit', enabled: 'yes', state: 'failed' }],
  ['apt-daily.timer', { type: 'unit', enabled: 'masked', state: 'stopped' }],
  ['dbus.socket', { type: 'unit', enabled: 'static', state: 'running' }],
  ['systemd-tmpfiles-setup.service', { type: 'unit', enabled: 'static', state: 'running' }],
  ['docker.service', { type: 'unit', enabled: 'yes', state: 'running' }],
  ['docker.socket', { type: 'unit', enabled: 'yes', state: 'running' }],
  ['systemd-modules-load.service', { type: 'unit', enabled: 'static', state: 'failed' }],
])('%s reads as %o', (name, attributes) => {
  expect(unitAttributes(unitNamed(name))).toEqual(attributes)
})

test('a unit that is not there is missing, and nothing else', () => {
  const missing = { ...unitNamed('missing.service'), enablement: 'not-found' }
  expect(unitAttributes(missing)).toEqual({ type: 'missing', enabled: 'missing', state: 'missing' })
})

test('an alias is read as the unit it stands for', () => {
  expect(unitNamed('dbus-org.freedesktop.login1.service').id).toBe('systemd-logind.service')
})

test('output that is shorter than what was asked leaves the rest missing', () => {
  const parsed = parseShow(['a.service', 'b.service'], 'Id=a.service\nLoadState=loaded\nActiveState=active\n')
  expect(parsed.get('b.service')?.loadState).toBe('not-found')
})

test('a stopped unit that the baseline has running is drift, described for a person', () => {
  const { drift, pending } = compared({ enabled: true, state: 'running' }, { enabled: 'yes', state: 'stopped' })
  expect(pending).toEqual([])
  expect(unitKind.describe(resourceId('unit', 'x.service'), drift)).toBe('x.service: stopped, should be running')
})

test('a masked unit is drift whether it should be enabled or disabled', () => {
  expect(compared({ enabled: true }, { enabled: 'masked', state: 'stopped' }).drift).toHaveLength(1)
  expect(compared({ enabled: false }, { enabled: 'masked', state: 'stopped' }).drift).toHaveLength(1)
})

test.each([
  ['static', { enabled: true }],
  ['static', { enabled: false }],
  ['generated', { enabled: true }],
  ['indirect', { enabled: true }],
  ['missing', { enabled: false }],
])('%s is as near as systemd gets to %o', (enabled, wanted) => {
  expect(compared(wanted, { enabled, state: 'running' })).toEqual({ drift: [], pending: [] })
})

test.each([
  ['finished', 'running'],
  ['starting', 'running'],
  ['failed', 'stopped'],
  ['missing', 'stopped'],
  ['stopping', 'stopped'],
] as const)('%s will do for %s', (state, wanted) => {
  expect(compared({ state: wanted }, { enabled: 'no', state })).toEqual({ drift: [], pending: [] })
})

test('skipped will do for running, unless its condition ended it', () => {
  const skipped = { enabled: 'yes', state: 'skipped' }
  expect(compared({ state: 'running' }, skipped).drift).toEqual([])
  const desired = unit({ state: 'running' })
  const live = {
    attributes: { type: 'unit', ...skipped },
    unit: { isOfPackage: false, isStale: false, isEndedByCondition: true },
  }
  const subject = { id: desired.id, desired, baseline: { attributes: unitKind.attributes(desired) } }
  expect(unitKind.compare(subject, live).drift).toHaveLength(1)
})

test.each(['failed', 'restarting', 'stopped', 'missing'])('%s will not do for running', (state) => {
  expect(compared({ state: 'running' }, { enabled: 'yes', state }).drift).toHaveLength(1)
})

test('static stays in sync when the repository changes its mind from enabled to disabled', () => {
  const subject = {
    id: resourceId('unit', 'x.service'),
    desired: unit({ enabled: false }),
    baseline: { attributes: { enabled: 'yes' } },
  }
  const live = { attributes: { type: 'unit', enabled: 'static', state: 'running' } }
  expect(unitKind.compare(subject, live)).toEqual({ drift: [], pending: [] })
})

test('a unit that left the repository is pending until it is gone', () => {
  const subject = {
    id: resourceId('unit', 'x.service'),
    desired: undefined,
    baseline: { attributes: { state: 'running' } },
  }
  const here = compareSubject(subject, { attributes: { type: 'unit', enabled: 'no', state: 'running' } }).comparison
  const gone = unitKind.compare(subject, { attributes: { type: 'missing', enabled: 'missing', state: 'missing' } })
  expect(unitKind.describe(subject.id, here.pending)).toBe('x.service: no longer in the repository')
  expect(gone).toEqual({ drift: [], pending: [] })
})

function recorded(file: string, names: readonly string[]) {
  return parseShow(names, readFileSync(new URL(`recorded/${file}`, import.meta.url), 'utf8'))
}

function unitNamed(name: string): UnitStatus {
  const found = units.get(name)
  if (found === undefined) throw new Error(`${name} was not recorded`)
  return found
}

type Wanted = Pick<UnitResource, 'enabled' | 'state'>

function unit(wanted: Wanted): UnitResource {
  return { kind: 'unit', id: resourceId('unit', 'x.service'), name: 'x.service', ...wanted }
}

test.each([
  [
    'a link of the last apply that is no longer wanted',
    ['b.wants/x'],
    'a.wants/x',
    'a.wants/x',
    { drift: 0, pending: 1 },
  ],
  [
    'a link that a person removed',
    ['a.wants/x', 'b.wants/x'],
    'a.wants/x, b.wants/x',
    'b.wants/x',
    { drift: 1, pending: 0 },
  ],
  ['a section that is dropped', [], 'a.wants/x', 'a.wants/x', { drift: 0, pending: 1 }],
  [
    'a baseline of an earlier version, and right links',
    ['a.wants/x'],
    undefined,
    'a.wants/x',
    { drift: 0, pending: 0 },
  ],
  [
    'a baseline of an earlier version, and a lacking link',
    ['a.wants/x'],
    undefined,
    'nothing',
    { drift: 0, pending: 1 },
  ],
])('links that enable a unit: %s', (_, links, before, install, counts) => {
  const desired: UnitResource = { ...unit({ enabled: true }), links }
  const attributes = { enabled: 'yes', ...(before === undefined ? {} : { install: before }) }
  const live = { attributes: { type: 'unit', enabled: 'yes', state: 'running', install } }
  const { drift, pending } = unitKind.compare({ id: desired.id, desired, baseline: { attributes } }, live)
  expect({ drift: drift.length, pending: pending.length }).toEqual(counts)
})

function compared(wanted: Wanted, live: { readonly enabled: string; readonly state: string }) {
  const desired = unit(wanted)
  const baseline = { attributes: unitKind.attributes(desired) }
  return compareSubject({ id: desired.id, desired, baseline }, { attributes: { type: 'unit', ...live } }).comparison
}
