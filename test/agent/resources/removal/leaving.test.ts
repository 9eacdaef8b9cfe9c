import { expect, test } from 'vitest'
import type { ResourceChange, Subject } from '../../../../agent/resources/kind.ts'
import {
  firstPurgedBy,
  type HandedOver,
  purgedBy,
  releasedSubject,
  removedDirectories,
  replacedBy,
  withoutHandedOver,
  withRemovals,
} from '../../../../agent/resources/removal/leaving.ts'
import type { Original, Taken, TakenPath } from '../../../../agent/resources/removal/originals.ts'
import type { ServiceBaseline } from '../../../../agent/state/baseline.ts'
import { absolutePathSchema, revisionSchema, serviceNameSchema } from '../../../../shared/names.ts'
import { directory, file, idOf, sha } from '../../apply/world.ts'

const path = (text: string) => absolutePathSchema.parse(text)
const name = (text: string) => serviceNameSchema.parse(text)
const wasFile: Original = { type: 'file', sha256: sha('old'), size: 3, kept: 'yes', mode: 0o644, uid: 0, gid: 0 }
const made: Taken = { was: { type: 'missing' }, made: true }

const leaving = (kind: string, at: string): Subject => ({
  ...{ id: idOf(kind, at), desired: undefined, baseline: { attributes: { type: kind } } },
})

function own(service: string, ...subjects: readonly Subject[]) {
  return { service: name(service), desired: undefined, baseline: undefined, subjects }
}

function taken(at: string, about: Partial<TakenPath> = {}): readonly [string, TakenPath] {
  const none = { holder: undefined, isAbove: false, isBlocked: false }
  return [at, { path: path(at), taken: made, owners: [name('a')], ...none, ...about }]
}

const idsOf = (all: readonly { readonly service: string; readonly subjects: readonly Subject[] }[]) =>
  Object.fromEntries(all.map(({ service, subjects }) => [service, subjects.map(({ id }) => id)]))

test('a directory is removed by the last service that removes something below it', () => {
  const all = [own('a', leaving('directory', '/srv')), own('b', leaving('file', '/srv/b'))]
  const services = withRemovals(all, new Map([taken('/srv')]))
  expect(idsOf(services)).toEqual({ a: [], b: ['file:/srv/b', 'directory:/srv'] })
  expect(services[0]?.handedOver).toEqual([{ kind: 'path', path: '/srv', until: 'b' }])
  expect(services[0]?.before.get(path('/srv'))).toEqual(made)
})

test('a directory of which the content leaves with its own service stays with that one', () => {
  const all = [own('a', leaving('directory', '/srv'), leaving('file', '/srv/a')), own('b')]
  expect(idsOf(withRemovals(all, new Map([taken('/srv')])))).toEqual({ a: ['directory:/srv', 'file:/srv/a'], b: [] })
})

test('a directory made on the way goes with the last file below it, though no resource stands for it', () => {
  const all = [own('a', leaving('file', '/srv/x/a')), own('b', leaving('file', '/srv/x/b'))]
  const services = withRemovals(all, new Map([taken('/srv/x'), taken('/srv')]))
  expect(idsOf(services)['b']).toEqual(['file:/srv/x/b', 'directory:/srv/x', 'directory:/srv'])
})

test('what is held stays on record with its holder, and with its owner until the holder was applied', () => {
  const held = new Map([taken('/srv', { holder: name('b'), isAbove: true })])
  const [first, second] = withRemovals([own('a'), own('b')], held)
  expect(first?.handedOver).toEqual([{ kind: 'path', path: '/srv', until: 'b' }])
  expect(second?.before.get(path('/srv'))).toEqual(made)
})

test.each<[string, Taken, 'delete' | 'restore' | 'keep', string | undefined]>([
  ['a made directory that is deleted', made, 'delete', 'directory:/srv'],
  ['a made directory that is kept', made, 'keep', undefined],
  ['a file that is restored', { was: wasFile }, 'restore', 'file:/srv'],
  ['a file that is not restored', { was: wasFile }, 'delete', undefined],
  ['a FIFO, which nothing restores', { was: { type: 'fifo' } }, 'restore', undefined],
])('%s', (_, was, onRemove, id) => {
  expect(releasedSubject(path('/srv'), was, onRemove)?.id).toBe(id)
})

test('a made directory in the place of a file returns as that file', () => {
  expect(releasedSubject(path('/srv'), { was: wasFile, made: true }, 'restore')).toMatchObject({
    id: 'directory:/srv',
    original: wasFile,
  })
})

const baseline: ServiceBaseline = {
  service: name('a'),
  revision: revisionSchema.parse('1'.repeat(40)),
  appliedAt: '2026-11-30T00:00:00Z',
  onRemove: 'delete',
  resources: new Map([[idOf('file', '/etc/a'), { attributes: { type: 'file', content: sha('applied') } }]]),
  before: new Map([[path('/srv'), made]]),
}
const handedOver: readonly HandedOver[] = [
  { kind: 'resource', id: idOf('file', '/etc/a'), until: name('b') },
  { kind: 'path', path: path('/srv'), until: name('c') },
]

test('what another service takes over is on record until that one was applied', () => {
  const about = { handedOver, isLeaving: true }
  expect(withoutHandedOver(baseline, about, new Set())).toEqual(baseline)
  const afterB = withoutHandedOver(baseline, about, new Set([name('b')]))
  expect([afterB?.resources.size, afterB?.before?.size]).toEqual([0, 1])
  expect(withoutHandedOver(baseline, about, new Set([name('b'), name('c')]))).toBeUndefined()
})

test('a service that stays is not forgotten, though nothing is left on its record', () => {
  const all = new Set([name('b'), name('c')])
  const left = withoutHandedOver(baseline, { handedOver, isLeaving: false }, all)
  expect(left).toMatchObject({ service: 'a' })
  expect(left).not.toHaveProperty('before')
})

const change = (about: Partial<ResourceChange> & Pick<ResourceChange, 'id'>): ResourceChange => ({
  ...{ desired: undefined, baseline: undefined, live: { attributes: {} }, differences: [], ...about },
})
const extra = { name: 'extra', expected: 'none', live: 'x', codes: ['extra'] } as const

test('what is replaced is known by what the repository has, had when it was applied, and by what was there before', () => {
  const next = file('/etc/a', 'new')
  const live = { attributes: { content: sha('by hand') } }
  const [replaced] = replacedBy([change({ id: next.id, desired: next, live })], baseline, undefined)
  expect(replaced).toMatchObject({ path: '/etc/a', why: 'overwritten', wanted: undefined, seen: sha('by hand') })
  expect(replaced?.known).toEqual(new Set([sha('applied'), sha('new')]))
})

test('what leaves is removed, and what returns is overwritten by what was there before', () => {
  const id = idOf('file', '/etc/a')
  expect(replacedBy([change({ id })], undefined, undefined)[0]).toMatchObject({ why: 'removed' })
  const [returning] = replacedBy([change({ id, original: wasFile })], undefined, undefined)
  expect(returning).toMatchObject({ why: 'overwritten', known: new Set([sha('old')]) })
})

test('content that is only live is wanted when it is replaced', () => {
  const before = new Map([[path('/etc/a'), { was: { ...wasFile, kept: 'live' as const } }]])
  expect(replacedBy([change({ id: idOf('file', '/etc/a') })], undefined, before)[0]?.wanted).toBe(sha('old'))
})

test('units and packages have no path that could be displaced', () => {
  expect(replacedBy([change({ id: idOf('unit', 'a.service') })], undefined, undefined)).toEqual([])
})

test('a directory is purged once, and for the first time where its baseline knows of no purge', () => {
  const desired = directory('/srv', { purge: true })
  const first = change({ id: desired.id, desired, differences: [extra] })
  const again = { ...first, baseline: { attributes: { type: 'directory', extra: 'none' } } }
  expect(purgedBy([first, first])).toEqual(['/srv'])
  expect(firstPurgedBy([first])).toEqual(['/srv'])
  expect(firstPurgedBy([again])).toEqual([])
})

test('a directory that leaves, stays or returns: only the first is to be gone', () => {
  const id = idOf('directory', '/srv')
  const leave = { name: 'leave', expected: '', live: '', codes: ['type'] } as const
  const original: Original = { type: 'directory', mode: 0o755, uid: 0, gid: 0 }
  expect(removedDirectories([change({ id })])).toEqual(['/srv'])
  expect(removedDirectories([change({ id, differences: [leave] }), change({ id, original })])).toEqual([])
})
