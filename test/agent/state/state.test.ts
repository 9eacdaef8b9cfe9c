import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openFiles } from '../../../agent/host/files-open.ts'
import type { ServiceBaseline } from '../../../agent/state/baseline.ts'
import { mayTry, retryDelaySeconds } from '../../../agent/state/failures.ts'
import { hashStore } from '../../../agent/state/hashes.ts'
import { objectStore } from '../../../agent/state/objects.ts'
import { openState, type State } from '../../../agent/state/state.ts'
import { absolutePathSchema, resourceId, revisionSchema, serviceNameSchema } from '../../../shared/names.ts'
import { sha } from '../apply/world.ts'

const asRoot = process.geteuid?.() === 0
const web = serviceNameSchema.parse('web')
const revision = revisionSchema.parse('1'.repeat(40))
let directory: string
let state: State

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'plumb-state-'))
  state = openState(directory)
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const baseline: ServiceBaseline = {
  service: web,
  revision,
  appliedAt: '2026-11-23T00:00:00.000Z',
  onRemove: 'delete',
  resources: new Map([
    [resourceId('file', '/etc/f'), { attributes: { type: 'file', mode: '0644' }, source: 's', secrets: ['token'] }],
  ]),
}

test('a baseline is read back as it was written, by another process too', async () => {
  await state.baselines.write([baseline])
  expect(openState(directory).baselines.read()).toEqual({ baselines: new Map([[web, baseline]]), problems: [] })
  await state.baselines.remove([web])
  expect(state.baselines.read().baselines.size).toBe(0)
})

test.each([
  ['truncated', '{"service":"web","revi'],
  ['empty', ''],
  ['of another shape', '{"service":"web","revision":"1"}'],
  ['of another service', undefined],
])('a baseline file that is %s is set aside and told, and the others are read', async (_, text) => {
  await state.baselines.write([baseline])
  const content = text ?? JSON.stringify({ ...baseline, resources: [...baseline.resources] })
  writeFileSync(join(directory, 'baseline/db.json'), content)
  const { baselines, problems } = state.baselines.read()
  expect([...baselines.keys()]).toEqual(['web'])
  expect(problems).toMatchObject([{ code: 'state-corrupt', where: { file: join(directory, 'baseline/db.json') } }])
  expect(readdirSync(join(directory, 'baseline')).toSorted()).toEqual(['db.json.corrupt', 'web.json'])
  expect(state.baselines.read().problems).toEqual([])
})

test('the state directory is closed to others even when it was made open', () => {
  const open = join(directory, 'open')
  mkdirSync(open, { mode: 0o777 })
  openState(open)
  expect(statSync(open).mode & 0o777).toBe(0o700)
})

test.runIf(asRoot)('a state directory of somebody else is refused', () => {
  const theirs = join(directory, 'theirs')
  mkdirSync(theirs)
  execFileSync('chown', ['1000', theirs])
  expect(() => openState(theirs)).toThrow(expect.objectContaining({ code: 'unsafe-path' }))
})

test('a hash is believed only when the file had rested for two seconds before it was taken', async () => {
  const root = join(directory, 'root')
  mkdirSync(root)
  const path = absolutePathSchema.parse('/f')
  writeFileSync(join(root, 'f'), 'one')
  const store = hashStore(join(directory, 'h.json'))
  const stat = openFiles({ root }).stat(path)
  if (stat === undefined) throw new Error('no file')
  const changed = Math.ceil(stat.changedMs)
  store.set(path, stat, sha('one'), changed + 1999)
  expect(store.get(path, stat)).toBeUndefined()
  store.set(path, stat, sha('one'), changed - 365 * 24 * 3600 * 1000)
  expect(store.get(path, stat)).toBeUndefined()
  store.set(path, stat, sha('one'), changed + 2000)
  expect(store.get(path, stat)).toBe(sha('one'))
  store.save()
  expect(hashStore(join(directory, 'h.json')).get(path, stat)).toBe(sha('one'))
})

test('a file rewritten within one clock tick, size and times restored, is seen', async () => {
  const root = join(directory, 'root')
  mkdirSync(root)
  const files = openFiles({ root, memory: state.hashes })
  const path = absolutePathSchema.parse('/f')
  for (let round = 0; round < 50; round += 1) {
    const text = `round ${String(round).padStart(4)}`
    writeFileSync(join(root, 'f'), text)
    utimesSync(join(root, 'f'), 1000, 1000)
    expect((await files.inspect(path))?.content).toBe(sha(text))
  }
})

test('an unreadable memory is an empty one', () => {
  writeFileSync(join(directory, 'hashes.json'), '{"/f": ["1", "not a hash"]}')
  writeFileSync(join(directory, 'digests.json'), 'garbage')
  writeFileSync(join(directory, 'failures.json'), '[]')
  writeFileSync(join(directory, 'displaced.json'), '{}')
  const again = openState(directory)
  expect(again.digests.read().size).toBe(0)
  expect(again.failures.read().get(web)).toBeUndefined()
  expect(again.archive.list()).toEqual([])
})

test('contents are kept by hash, and one that rotted on disk is not given out', () => {
  const stored = state.objects.put(Buffer.from('content'))
  expect(state.objects.get(stored)).toEqual(Buffer.from('content'))
  writeFileSync(join(directory, 'objects', stored), 'cont')
  expect(state.objects.get(stored)).toBeUndefined()
  expect(state.objects.get('../failures.json')).toBeUndefined()
})

test('the store is bounded: the oldest that nobody needs go first', () => {
  const store = objectStore(join(directory, 'small'), 3000)
  const all = ['needed', 'old', 'young'].map((name, index) => {
    const stored = store.put(Buffer.alloc(1000, name))
    utimesSync(join(directory, 'small', stored), 1000 + index, 1000 + index)
    return stored
  })
  const [needed = '', old = '', young = ''] = all
  store.prune([new Set([needed]), new Set()])
  expect(all.map((stored) => store.get(stored) !== undefined)).toEqual([true, true, true])
  const next = store.put(Buffer.alloc(1000, 'next'))
  store.prune([new Set([needed]), new Set()])
  expect([needed, old, young, next].map((stored) => store.get(stored) !== undefined)).toEqual([true, false, true, true])
})

test('a failed revision waits longer after each attempt, a new one not at all', () => {
  const at = new Date('2026-11-23T00:00:00Z')
  const later = (seconds: number) => new Date(at.getTime() + seconds * 1000)
  const problem = { code: 'check-failed', message: 'no' } as const
  expect(mayTry(state.failures.read().get(web), revision, at)).toBe(true)
  state.failures.add({ service: web, revision, at, step: 's', problem })
  expect(state.failures.add({ service: web, revision, at, step: 's', problem }).attempts).toBe(2)
  const again = openState(directory).failures
  expect([119, 120].map((seconds) => mayTry(again.read().get(web), revision, later(seconds)))).toEqual([false, true])
  expect(mayTry(again.read().get(web), revisionSchema.parse('2'.repeat(40)), at)).toBe(true)
  again.clear([web])
  expect(mayTry(openState(directory).failures.read().get(web), revision, at)).toBe(true)
  const delays = (...attempts: number[]) => attempts.map((attempt) => retryDelaySeconds(attempt, 'apply-failed'))
  expect(delays(1, 2, 3, 6, 7, 500)).toEqual([60, 120, 240, 1920, 3600, 3600])
  expect([1, 2, 6, 500].map((attempt) => retryDelaySeconds(attempt, 'contact-lost'))).toEqual([
    3600, 7200, 86400, 86400,
  ])
})

test('a list of what applies overwrote that cannot be read is kept beside the new one', async () => {
  writeFileSync(join(directory, 'displaced.json'), '[{"at":"2026')
  const sha256 = state.objects.put(Buffer.from('typed'))
  const was = { type: 'file', mode: 0o644, uid: 0, gid: 0, sha256, size: 5 } as const
  await state.archive.add([{ at: '2026-11-23T00:00:00.000Z', service: web, path: '/etc/f', why: 'overwritten', was }])
  expect(state.archive.list()).toMatchObject([{ path: '/etc/f' }])
  expect(readFileSync(join(directory, 'displaced.json.corrupt'), 'utf8')).toBe('[{"at":"2026')
})

test('a directory where the agent keeps a file is set aside and told once', () => {
  mkdirSync(join(directory, 'journal'))
  const again = openState(directory)
  expect(again.journal.read()).toEqual([])
  expect(again.baselines.read().problems).toMatchObject([
    { code: 'state-corrupt', where: { file: join(directory, 'journal') } },
  ])
  expect(again.baselines.read().problems).toEqual([])
})

test('a failure that a verb beside a running agent clears is cleared for the agent', () => {
  const at = new Date()
  const [agent, verb] = [openState(directory).failures, openState(directory).failures]
  agent.add({ service: web, revision, at, step: 's', problem: { code: 'check-failed', message: 'no' } })
  expect(verb.read().get(web)?.attempts).toBe(1)
  verb.clear([web])
  expect(agent.read().get(web)).toBeUndefined()
})

test('a clock that was a year ahead when a service failed does not make it wait for a year', () => {
  const at = new Date('2027-11-23T00:00:00.000Z')
  state.failures.add({ service: web, revision, at, step: 's', problem: { code: 'apply-failed', message: 'm' } })
  const failure = openState(directory).failures.read().get(web)
  expect(mayTry(failure, revision, new Date('2026-11-23T00:00:00.000Z'))).toBe(true)
  expect(mayTry(failure, revision, new Date('2027-11-23T00:00:30.000Z'))).toBe(false)
  expect(mayTry(failure, revision, new Date('2028-11-23T00:00:00.000Z'))).toBe(true)
})

test('what a killed writer left unfinished is gone at the next start, and what a living one writes stays', () => {
  const ended = Number(execFileSync('sh', ['-c', 'echo $$'], { encoding: 'utf8' }))
  const left = [
    `objects/abc.${ended}.new`,
    `baseline/web.json.${ended}.new`,
    `lock/${ended}.mine`,
    `status.json.${ended}.new`,
  ]
  const living = [`objects/abc.${process.pid}.new`, 'objects/of-nobody.new']
  mkdirSync(join(directory, 'lock'))
  for (const name of [...left, ...living]) writeFileSync(join(directory, name), 'x')
  openState(directory)
  expect([...left, ...living].filter((name) => existsSync(join(directory, name)))).toEqual(living)
})

test('a content on its way into the store bears the number of its writer, by which the next start knows that it is abandoned', async () => {
  const batch = state.objects.batch()
  await batch.add(async (take) => take(Buffer.from('half')))
  expect(readdirSync(join(directory, 'objects'))).toEqual([expect.stringMatching(`\\.${process.pid}\\.new$`)])
  batch.drop()
  expect(readdirSync(join(directory, 'objects'))).toEqual([])
})

test('a journal line cut by a crash is not there; those before it are', async () => {
  await state.journal.append({ one: 1 })
  await state.journal.append({ two: 2 })
  appendFileSync(join(directory, 'journal'), '{"three": ')
  const again = openState(directory).journal
  expect(again.read()).toEqual([{ one: 1 }, { two: 2 }])
  await again.append({ four: 4 })
  expect(again.read()).toEqual([{ one: 1 }, { two: 2 }, { four: 4 }])
  await again.remove()
  expect(again.read()).toEqual([])
})

test.runIf(asRoot)('a journal record that the full disk cut short is taken back', async () => {
  const mounted = join(directory, 'mounted')
  mkdirSync(mounted)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', mounted])
  try {
    const { journal } = openState(mounted)
    await journal.append({ one: 1 })
    await expect(journal.append({ large: 'x'.repeat(100_000) })).rejects.toMatchObject({ code: 'disk-full' })
    await journal.append({ two: 2 })
    expect(journal.read()).toEqual([{ one: 1 }, { two: 2 }])
  } finally {
    execFileSync('umount', ['-l', mounted])
  }
})
