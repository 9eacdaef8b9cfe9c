import { describe, expect, test } from 'vitest'
import { allDifferences, compareAttributes } from '../../../agent/resources/compare.ts'

const file = (content: string, mode = '0644') => ({ type: 'file', content, mode })
const missing = { type: 'missing' }
const names = (differences: readonly { readonly name: string }[]) => differences.map(({ name }) => name)

describe('one attribute in three states', () => {
  test.each([
    ['all the same', 'a', 'a', 'a', [], []],
    ['somebody changed the host', 'a', 'a', 'x', ['content'], []],
    ['a commit not applied yet', 'b', 'a', 'a', [], ['content']],
    ['both', 'b', 'a', 'x', ['content'], ['content']],
    ['a commit that somebody applied by hand', 'b', 'a', 'b', [], []],
    ['never applied, and different', 'a', undefined, 'x', [], ['content']],
    ['never applied, and right already', 'a', undefined, 'a', [], []],
  ])('%s', (_, desired, baseline, live, drift, pending) => {
    const compared = compareAttributes(file(desired), baseline === undefined ? undefined : file(baseline), file(live))
    expect({ drift: names(compared.drift), pending: names(compared.pending) }).toEqual({ drift, pending })
  })
})

test('a drift says what was applied, a pending change what is wanted', () => {
  const compared = compareAttributes(file('b'), file('a'), file('x'))
  expect(compared.drift).toEqual([{ name: 'content', expected: 'a', live: 'x' }])
  expect(compared.pending).toEqual([{ name: 'content', expected: 'b', live: 'x' }])
  expect(allDifferences(compared)).toEqual(compared.pending)
})

test('each attribute is judged for itself', () => {
  const compared = compareAttributes(file('b', '0644'), file('a', '0644'), file('a', '0600'))
  expect({ drift: names(compared.drift), pending: names(compared.pending) }).toEqual({
    drift: ['mode'],
    pending: ['content'],
  })
  expect(names(allDifferences(compared))).toEqual(['content', 'mode'])
})

test('another type hides everything else', () => {
  const compared = compareAttributes(file('a', '0644'), file('a', '0644'), { type: 'fifo', mode: '0600' })
  expect(compared).toEqual({ drift: [{ name: 'type', expected: 'file', live: 'fifo' }], pending: [] })
})

test('a removed file is drift, and also pending when a commit changes it', () => {
  expect(names(compareAttributes(file('a'), file('a'), missing).pending)).toEqual([])
  expect(names(compareAttributes(file('b'), file('a'), missing).pending)).toEqual(['type'])
  expect(names(compareAttributes(file('b'), file('a'), missing).drift)).toEqual(['type'])
})

test('what cannot be observed here never differs', () => {
  expect(compareAttributes({ ...file('a'), owner: 'web' }, undefined, file('a'))).toEqual({ drift: [], pending: [] })
})

test('an attribute that nobody names is not looked at', () => {
  expect(compareAttributes({ enabled: 'yes' }, undefined, { enabled: 'yes', state: 'failed' })).toEqual({
    drift: [],
    pending: [],
  })
})

test('an attribute managed from now on is pending, not drift', () => {
  const compared = compareAttributes(
    { enabled: 'yes', state: 'running' },
    { enabled: 'yes' },
    { enabled: 'yes', state: 'stopped' },
  )
  expect(compared).toEqual({ drift: [], pending: [{ name: 'state', expected: 'running', live: 'stopped' }] })
})

describe('what left the repository', () => {
  test('is pending removal', () => {
    expect(names(compareAttributes(undefined, file('a'), file('a')).pending)).toEqual(['type'])
  })
  test('is drift too when somebody edited it', () => {
    const compared = compareAttributes(undefined, file('a'), file('x'))
    expect(names(compared.drift)).toEqual(['content'])
    expect(names(compared.pending)).toEqual(['type'])
  })
  test('is nothing when it is gone already, or a directory of somebody took its place', () => {
    expect(compareAttributes(undefined, file('a'), missing)).toEqual({ drift: [], pending: [] })
    expect(compareAttributes(undefined, file('a'), { type: 'directory' })).toEqual({ drift: [], pending: [] })
    expect(compareAttributes(undefined, undefined, file('x'))).toEqual({ drift: [], pending: [] })
  })
})
