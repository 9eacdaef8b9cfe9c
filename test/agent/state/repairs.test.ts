import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { repairStore } from '../../../agent/state/repairs.ts'
import { resourceIdSchema } from '../../../shared/names.ts'

const file = resourceIdSchema.parse('file:/etc/resolv.conf')
const drifted = new Set([file])
const nothing = new Set<never>()
const minute = (count: number) => new Date(Date.parse('2026-11-26T10:00:00.000Z') + count * 60_000)

let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'plumb-repairs-'))
})

afterEach(() => rmSync(directory, { recursive: true }))

test('the third repair undone within ten minutes is a fight, also for the next process; one that came slower is none', () => {
  const store = open()
  for (const at of [0, 4, 9]) {
    store.looked(drifted, minute(at))
    expect(store.fights().size).toBe(0)
    store.repaired([file], minute(at))
  }
  store.looked(drifted, minute(10))
  const fight = { repairs: 3, since: minute(0).toISOString() }
  expect([...store.fights()]).toEqual([[file, fight]])
  expect([...open().fights()]).toEqual([[file, fight]])

  const slow = repairStore(join(directory, 'slow.json'))
  for (const at of [0, 6, 12, 18, 24]) {
    slow.looked(drifted, minute(at))
    slow.repaired([file], minute(at))
    slow.looked(nothing, minute(at + 1))
  }
  expect(slow.fights().size).toBe(0)
})

test('a fight is over after ten quiet minutes without drift, and at once when a person puts it right', () => {
  const store = fighting()
  store.looked(nothing, minute(5))
  store.looked(drifted, minute(10))
  store.looked(nothing, minute(11))
  store.looked(nothing, minute(20))
  expect(store.fights().size).toBe(1)
  store.looked(nothing, minute(21))
  expect(store.fights().size).toBe(0)

  const asked = fighting()
  asked.forget([file])
  expect(asked.fights().size).toBe(0)
})

test('a clock that is set back neither makes a fight nor keeps one for years', () => {
  const store = fighting()
  store.looked(nothing, minute(1_000_000))
  store.looked(nothing, minute(20))
  store.looked(nothing, minute(30))
  expect(store.fights().size).toBe(0)

  const ahead = open()
  for (const at of [1000, 1001, 1002]) ahead.repaired([file], minute(at))
  ahead.looked(drifted, minute(10))
  expect(ahead.fights().size).toBe(0)
})

test('a damaged file is forgotten, and one that cannot be written ends nothing', () => {
  writeFileSync(join(directory, 'repairs.json'), '{"half')
  expect(open().fights().size).toBe(0)
  const store = repairStore(join(directory, 'gone', 'repairs.json'))
  for (const at of [0, 1, 2]) store.repaired([file], minute(at))
  store.looked(drifted, minute(3))
  expect(store.fights().size).toBe(1)
})

test('a fight that a person ends beside a running agent is over for the agent too, and does not come back', () => {
  const agent = fighting()
  const verb = open()
  verb.forget([file])
  expect(agent.fights().size).toBe(0)
  agent.looked(nothing, minute(4))
  expect([agent.fights().size, open().fights().size]).toEqual([0, 0])
})

test('what one process repairs counts for the other', () => {
  const [agent, other] = [open(), open()]
  agent.repaired([file], minute(0))
  other.repaired([file], minute(1))
  agent.repaired([file], minute(2))
  other.looked(drifted, minute(3))
  expect(agent.fights().size).toBe(1)
})

function open() {
  return repairStore(join(directory, 'repairs.json'))
}

function fighting() {
  const store = open()
  for (const at of [0, 1, 2]) store.repaired([file], minute(at))
  store.looked(drifted, minute(3))
  expect(store.fights().size).toBe(1)
  return store
}
