// What a state directory that is too large for a debug bundle costs, and what is said of the rest.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { stateParts } from '../../../agent/debug/state-parts.ts'

let state: string

beforeAll(() => {
  state = mkdtempSync(join(tmpdir(), 'plumb-state-parts-'))
})

afterAll(() => rmSync(state, { recursive: true }))

test('no more is held than there is room for, and what is smaller still comes in', async () => {
  mkdirSync(join(state, 'baseline'))
  for (const name of ['a', 'b', 'c', 'd']) writeFileSync(join(state, 'baseline', `${name}.json`), 'x'.repeat(40_000))
  writeFileSync(join(state, 'holds.json'), '[]')
  const found = await stateParts(state, 100_000)
  const parts = found.filter((one) => one.kind === 'part')
  const names = ['state/listing.txt', 'state/baseline/a.json', 'state/baseline/b.json', 'state/holds.json']
  expect(parts.map(({ name }) => name)).toEqual(names)
  const leftOut = found.filter((one) => one.kind === 'left-out')
  expect(leftOut).toEqual(
    ['c', 'd'].map((name) => ({ kind: 'left-out', name: `state/baseline/${name}.json`, reason: 'size' })),
  )
})

test('of a directory with very many entries it is said how many are left out', async () => {
  mkdirSync(join(state, 'lock'))
  for (let number = 1; number <= 2003; number += 1) writeFileSync(join(state, 'lock', String(number)), '')
  const found = await stateParts(state, 1_000_000)
  expect(found.filter(({ name }) => name.startsWith('state/lock/'))).toHaveLength(2000)
  expect(found).toContainEqual({ kind: 'left-out', name: 'state/lock', reason: 'size', detail: '3 of its entries' })
})
