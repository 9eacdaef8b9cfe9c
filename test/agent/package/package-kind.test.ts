// What differs of a package in three states, and the words for it.
import { describe, expect, test } from 'vitest'
import type { Attributes } from '../../../agent/resources/kind.ts'
import { packageKind } from '../../../agent/resources/package.ts'
import { compareSubject } from '../../../agent/resources/registry.ts'
import { resourceId } from '../../../shared/names.ts'
import type { PackageSettings } from '../../../shared/resource.ts'

const id = resourceId('package', 'caddy')
const missing = { type: 'missing', installed: 'no', version: 'none', hold: 'no' }
const live = (version: string, hold = 'no') => ({ type: 'package', installed: 'yes', version, hold })

type Wanted = Omit<PackageSettings, 'name'>

function compared(desired: Wanted | undefined, before: Wanted | undefined, here: Attributes) {
  const resource = (wanted: Wanted) => ({ kind: 'package' as const, id, name: 'caddy', ...wanted })
  const baseline = before && { attributes: packageKind.attributes(resource(before)) }
  const subject = { id, desired: desired && resource(desired), baseline }
  const { comparison, differences: all } = compareSubject(subject, { attributes: here })
  const { drift, pending } = comparison
  const text = (differences: typeof drift) => (differences.length === 0 ? '' : packageKind.describe(id, differences))
  return { drift: text(drift), pending: text(pending), all: text(all) }
}

describe('a plan says what will be done', () => {
  test.each<[string, Wanted, Attributes]>([
    ['caddy: not installed, should be installed', {}, missing],
    ['caddy: not installed, should be 2.6.*', { version: '2.6.*' }, missing],
    ['caddy: not installed, should be 2.6.* and held', { version: '2.6.*', hold: true }, missing],
    ['caddy: 2.5.1, should be 2.6.*', { version: '2.6.*' }, live('2.5.1')],
    ['caddy: 2.5.1, should be 2.6.*; not held', { version: '2.6.*', hold: true }, live('2.5.1')],
    ['caddy: not held', { version: '2.6.*', hold: true }, live('2.6.2-5')],
    ['caddy: held, should not be', { hold: false }, live('2.6.2-5', 'yes')],
    [
      'caddy: not set up to the end (half-configured), should be installed',
      {},
      { ...live('2.6.2'), installed: 'half-configured' },
    ],
    ['', { version: '2.6.*' }, live('2.6.2-5')],
    ['', {}, live('2.6.2-5', 'yes')],
  ])('"%s" for %j', (text, desired, here) => {
    expect(compared(desired, undefined, here)).toEqual({ drift: '', pending: text, all: text })
  })
})

describe('what people do to an applied package is drift', () => {
  const applied = { version: '2.6.*', hold: true }
  test.each<[string, Attributes]>([
    ['caddy: 2.5.1, should be 2.6.*', live('2.5.1', 'yes')],
    ['caddy: not held', live('2.6.9', 'no')],
    ['caddy: not installed, should be 2.6.* and held', missing],
    ['', live('2.6.9', 'yes')],
  ])('"%s"', (text, here) => {
    expect(compared(applied, applied, here)).toEqual({ drift: text, pending: '', all: text })
  })
})

test('a commit that pins another version is pending and no drift, also when somebody installed that by hand', () => {
  expect(compared({ version: '2.7.*' }, { version: '2.6.*' }, live('2.6.2'))).toMatchObject({
    drift: '',
    pending: 'caddy: 2.6.2, should be 2.7.*',
  })
  expect(compared({ version: '2.7.*' }, { version: '2.6.*' }, live('2.7.1'))).toMatchObject({ all: '' })
  expect(compared({ version: '2.*' }, { version: '2.6.*' }, live('2.6.2'))).toMatchObject({ all: '' })
})

test('a hold of the repository goes when the repository no longer says it, a hold of somebody stays', () => {
  expect(compared({}, { hold: true }, live('2.6.2', 'yes'))).toMatchObject({ pending: 'caddy: held, should not be' })
  expect(compared({}, {}, live('2.6.2', 'yes'))).toMatchObject({ all: '' })
  expect(compared({}, { hold: true }, live('2.6.2', 'no'))).toMatchObject({ all: '' })
})

test('a package that left the repository is told once', () => {
  expect(compared(undefined, { version: '2.6.*' }, live('2.6.2'))).toMatchObject({
    drift: '',
    pending: 'caddy: no longer in the repository',
  })
  expect(compared(undefined, { version: '2.6.*' }, missing)).toMatchObject({ all: '' })
})

test('an epoch is part of the version, as for apt', () => {
  expect(compared({ version: '2.6.*' }, undefined, live('1:2.6.2')).pending).toBe('caddy: 1:2.6.2, should be 2.6.*')
  expect(compared({ version: '1:2.6.*' }, undefined, live('1:2.6.2')).pending).toBe('')
})
