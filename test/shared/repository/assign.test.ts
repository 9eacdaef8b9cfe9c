// Which services and variables a host has, and the order they come in.
import { expect, test } from 'vitest'
import { hostNameSchema, serviceNameSchema } from '../../../shared/names.ts'
import { matchesPattern, namedHosts, servicesFor } from '../../../shared/repository/assign.ts'
import { type Fleet, fleetSchema } from '../../../shared/repository/fleet.ts'
import { nearest, suggestion } from '../../../shared/repository/nearest.ts'
import { inOrder } from '../../../shared/repository/order.ts'

function fleetWith(rest: object): Fleet {
  return fleetSchema.parse({ version: 1, ...rest })
}

function assigned(fleet: Fleet, name: string) {
  const assignment = servicesFor(fleet, hostNameSchema.parse(name))
  if (assignment.kind === 'unknown') throw new Error(assignment.problem.message)
  return { services: assignment.services, vars: Object.fromEntries(assignment.vars) }
}

const fleet = fleetWith({
  hosts: { 'edge-1': { services: ['own', 'base'], vars: { where: 'host' } }, 'db-1': {} },
  groups: {
    all: { hosts: ['*'], services: ['base', 'ssh'], vars: { where: 'all', level: 'group' } },
    edge: { hosts: ['edge-?', 'edge-9*'], services: ['exporter'], vars: { where: 'edge' } },
    named: { hosts: ['lone', 'db-1'], services: [] },
  },
  vars: { where: 'fleet', level: 'fleet', fleet: 'yes' },
})

test("a host has its groups' services and its own, each once; its variables override the group's, and those the fleet's", () => {
  expect(assigned(fleet, 'edge-1')).toEqual({
    services: ['base', 'ssh', 'exporter', 'own'],
    vars: { where: 'host', level: 'group', fleet: 'yes' },
  })
  expect(assigned(fleet, 'edge-2')).toEqual({
    services: ['base', 'ssh', 'exporter'],
    vars: { where: 'edge', level: 'group', fleet: 'yes' },
  })
  expect(assigned(fleet, 'db-1').services).toEqual(['base', 'ssh'])
})

test('a host that nothing names is a problem with the nearest name', () => {
  const small = fleetWith({ hosts: { 'web-1': {} }, groups: { edge: { hosts: ['edge-*'] } } })
  expect(servicesFor(small, hostNameSchema.parse('wbe-1'))).toEqual({
    kind: 'unknown',
    problem: {
      code: 'host-unknown',
      message: 'there is no host "wbe-1", and no group\'s pattern matches it.',
      where: { file: 'plumb.yaml', key: 'hosts' },
      remedy: 'Did you mean "web-1"?',
    },
  })
})

test('hosts that groups name in full are named hosts, patterns are not', () => {
  expect(namedHosts(fleet)).toEqual(['edge-1', 'db-1', 'lone'])
  const shadowed = fleetWith({ hosts: { 'edge-x': {} }, groups: { edge: { hosts: ['edge-*'] } } })
  expect(namedHosts(shadowed)).toEqual(['edge-x'])
})

test('patterns match whole names, and none takes for ever', () => {
  expect(matchesPattern('edge-*', 'edge-')).toBe(true)
  expect(matchesPattern('edge-*', 'my-edge-1')).toBe(false)
  expect(matchesPattern('*.eu', 'a.b.eu')).toBe(true)
  expect(matchesPattern('edge.1', 'edge-1')).toBe(false)
  expect(matchesPattern('e?ge', 'edge')).toBe(true)
  expect(matchesPattern('*a'.repeat(30), 'a'.repeat(63))).toBe(true)
  expect(matchesPattern(`${'*a'.repeat(30)}*b`, 'a'.repeat(63))).toBe(false)
})

test('services come after those they are after, otherwise as listed; a cycle does not hang it', () => {
  const after: Readonly<Record<string, readonly string[]>> = {
    a: ['c'],
    b: [],
    c: ['d', 'elsewhere'],
    d: [],
    x: ['y'],
    y: ['x'],
  }
  const names = ['b', 'a', 'c', 'd', 'x', 'y'].map((name) => serviceNameSchema.parse(name))
  const order = inOrder(names, (name) => (after[name] ?? []).map((other) => serviceNameSchema.parse(other)))
  expect(order).toEqual(['b', 'd', 'c', 'a', 'y', 'x'])
})

test('the nearest name forgives a slip or two, letters in another order, and case - and no more', () => {
  expect(nearest('tempalte', ['template', 'triggers'])).toBe('template')
  expect(nearest('wbe', ['db', 'web'])).toBe('web')
  expect(nearest('README.MD', ['README.md'])).toBe('README.md')
  expect(nearest('postgres', ['caddy', 'base'])).toBeUndefined()
  expect(suggestion('postgres', ['caddy', 'base'], 'services')).toBe('Known services: caddy, base.')
})
