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
    store.checked(drifted, minute(at))
    expect(store.loops().size).toBe(0)
    store.repaired([file], minute(at))
  }
  store.checked(drifted, minute(10))
  const fight = { repairs: 3, since: minute(0).toISOString() }
  expect([...store.loops()]).toEqual([[file, fight]])
  expect([...open().loops()]).toEqual([[file, fight]])

  const slow = repairStore(join(directory, 'slow.json'))
  for (const at of [0, 6, 12, 18, 24]) {
    slow.checked(drifted, minute(at))
    slow.repaired([file], minute(at))
    slow.checked(nothing, minute(at + 1))
  }
  expect(slow.loops().size).toBe(0)
})

test('a fight is over after ten quiet minutes without drift, and at once when a person puts it right', () => {
  const store = fighting()
  store.checked(nothing, minute(5))
  store.checked(drifted, minute(10))
  store.checked(nothing, minute(11))
  store.checked(nothing, minute(20))
  expect(store.loops().size).toBe(1)
  store.checked(nothing, minute(21))
  expect(store.loops().size).toBe(0)

  const asked = fighting()
  asked.forget([file])
  expect(asked.loops().size).toBe(0)
})

test('a clock that is set back neither makes a fight nor keeps one for years', () => {
  const store = fighting()
  store.checked(nothing, minute(1_000_000))
  store.checked(nothing, minute(20))
  store.checked(nothing, minute(30))
  expect(store.loops().size).toBe(0)

  const ahead = open()
  for (const at of [1000, 1001, 1002]) ahead.repaired([file], minute(at))
  ahead.checked(drifted, minute(10))
  expect(ahead.loops().size).toBe(0)
})

test('a damaged file is forgotten, and one that cannot be written ends nothing', () => {
  writeFileSync(join(directory, 'repairs.json'), '{"half')
  expect(open().loops().size).toBe(0)
  const store = repairStore(join(directory, 'gone', 'repairs.json'))
  for (const at of [0, 1, 2]) store.repaired([file], minute(at))
  store.checked(drifted, minute(3))
  expect(store.loops().size).toBe(1)
})

test('a fight that a person ends beside a running agent is over for the agent too, and does not come back', () => {
  const agent = fighting()
  const verb = open()
  verb.forget([file])
  expect(agent.loops().size).toBe(0)
  agent.checked(nothing, minute(4))
  expect([agent.loops().size, open().loops().size]).toEqual([0, 0])
})

test('what one process repairs counts for the other', () => {
  const [agent, other] = [open(), open()]
  agent.repaired([file], minute(0))
  other.repaired([file], minute(1))
  agent.repaired([file], minute(2))
  other.checked(drifted, minute(3))
  expect(agent.loops().size).toBe(1)
})

function open() {
  return repairStore(join(directory, 'repairs.json'))
}

function fighting() {
  const store = open()
  for (const at of [0, 1, 2]) store.repaired([file], minute(at))
  store.checked(drifted, minute(3))
  expect(store.loops().size).toBe(1)
  return store
}
