import { readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { inTime } from '../../../agent/evidence/surroundings.ts'
import { applyTimes } from '../../../agent/state/applies.ts'
import type { Evidence } from '../../../shared/evidence.ts'
import { revisionSchema } from '../../../shared/names.ts'
import { applyIn, desiredHost, file, makeWorld, reportsIn, service, type World } from '../apply/world.ts'

let world: World
const desired = desiredHost([service('web', [file('/etc/motd', 'in sync\n')])])
const motd = () => join(world.root, 'etc/motd')

beforeEach(async () => {
  world = makeWorld()
  await applyIn(world, desired)
})
afterEach(() => world.remove())

async function evidenceOfMotd(of: World = world): Promise<Evidence> {
  const [report] = await reportsIn(of, desired)
  const evidence = report?.findings[0]?.evidence
  if (evidence === undefined) throw new Error('nothing is drifted')
  return evidence
}

test('what was gathered first is repeated word for word while the same differs, also after a restart', async () => {
  writeFileSync(motd(), 'by hand\n')
  const first = await evidenceOfMotd()
  expect(first).toMatchObject({ size: 8, mode: '0644' })
  expect(first.changedAt).toMatch(/^20.*Z$/)

  await sleep(5)
  utimesSync(motd(), new Date('2020-01-01'), new Date('2020-01-01'))

  expect(await evidenceOfMotd()).toEqual(first)
  expect(await evidenceOfMotd(world.again())).toEqual(first)
})

test('other content is another change, with evidence of its own', async () => {
  writeFileSync(motd(), 'by hand\n')
  const first = await evidenceOfMotd()
  await sleep(5)
  writeFileSync(motd(), 'by hand again\n')
  const second = await evidenceOfMotd()
  expect(second.size).toBe(14)
  expect(Date.parse(second.noticedAt ?? '')).toBeGreaterThan(Date.parse(first.noticedAt ?? ''))
})

test('the same edit, made again after it was put right between two looks, is gathered anew', async () => {
  writeFileSync(motd(), 'by hand\n')
  const first = await evidenceOfMotd()
  await sleep(5)
  await applyIn(world, desired, { repair: 'everything' })
  await sleep(20)
  writeFileSync(motd(), 'by hand\n')
  expect((await evidenceOfMotd()).noticedAt).not.toBe(first.noticedAt)
})

test('what is in sync again is forgotten', async () => {
  writeFileSync(motd(), 'by hand\n')
  await reportsIn(world, desired)
  const remembered = () => readFileSync(join(world.state.directory, 'evidence.json'), 'utf8')
  expect(remembered()).toContain('file:/etc/motd')
  writeFileSync(motd(), 'in sync\n')
  await reportsIn(world, desired)
  expect(remembered()).toBe('{}')
})

test('a damaged memory is gathered again', async () => {
  writeFileSync(join(world.state.directory, 'evidence.json'), '{"file:/etc/motd": {"state": 1}}')
  writeFileSync(motd(), 'by hand\n')
  expect((await evidenceOfMotd(world.again())).size).toBe(8)
})

test('of a missing file its directory tells when something in it vanished', async () => {
  const before = Date.now()
  rmSync(motd())
  const { directoryChangedAt, changedAt } = await evidenceOfMotd()
  expect(changedAt).toBeUndefined()
  expect(Date.parse(directoryChangedAt ?? '')).toBeGreaterThanOrEqual(before - 20)
})

test('a change while an apply of ours was running says so', async () => {
  const revision = revisionSchema.parse('a'.repeat(40))
  const ended = world.state.applies.begin(revision, () => new Date())
  await sleep(5)
  writeFileSync(motd(), 'by a hook\n')
  await sleep(20)
  ended()
  expect((await evidenceOfMotd()).ownApply).toMatchObject({ revision, endedAt: expect.stringMatching(/^20/) })
  await sleep(20)
  writeFileSync(motd(), 'by hand, later\n')
  expect(await evidenceOfMotd()).not.toHaveProperty('ownApply')
})

test('the last fifty applies are remembered, with their ends', () => {
  const path = join(world.directory, 'applies.json')
  const times = applyTimes(path)
  for (let at = 0; at < 60; at += 1) times.begin(revisionSchema.parse('b'.repeat(40)), () => new Date(at * 1000))()
  const kept = applyTimes(path).read()
  expect(kept).toHaveLength(50)
  expect(kept.at(-1)).toMatchObject({ startedAt: '1970-01-01T00:00:59.000Z', endedAt: '1970-01-01T00:00:59.000Z' })
})

test('a source that fails, or does not tell in time, is done without', async () => {
  const start = performance.now()
  expect(await inTime(() => Promise.reject(new Error('no such program')), 'nothing')).toBe('nothing')
  expect(await inTime(() => sleep(60_000, 'late', { ref: false }), 'nothing', 20)).toBe('nothing')
  expect(await inTime(() => Promise.resolve('told'), 'nothing')).toBe('told')
  expect(performance.now() - start).toBeLessThan(2000)
})
