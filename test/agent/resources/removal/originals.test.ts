import { expect, test } from 'vitest'
import {
  type AppliedPaths,
  contentOf,
  contentToKeep,
  isRestorable,
  isReturning,
  type Original,
  type Taken,
  takenPaths,
} from '../../../../agent/resources/removal/originals.ts'
import { absolutePathSchema, serviceNameSchema } from '../../../../shared/names.ts'
import { directory, file, service, sha } from '../../apply/world.ts'

const path = (text: string) => absolutePathSchema.parse(text)
const made: Taken = { was: { type: 'missing' }, made: true }
const wasFile = (kept: 'yes' | 'live' | 'no' = 'yes'): Original => ({
  ...{ type: 'file', sha256: sha('old'), size: 3, kept, mode: 0o644, uid: 0, gid: 0 },
})

function applied(name: string, before: Readonly<Record<string, Taken>>, directories: string[] = []): AppliedPaths {
  return {
    service: serviceNameSchema.parse(name),
    before: new Map(Object.entries(before).map(([at, taken]) => [path(at), taken])),
    directories: directories.map(path),
  }
}

test('a path that no service desires any more is released', () => {
  const taken = takenPaths([service('a', [file('/etc/b', 'x')])], [applied('a', { '/etc/a': { was: wasFile() } })])
  expect(taken.get('/etc/a')).toMatchObject({ owners: ['a'], holder: undefined, isAbove: false, isBlocked: false })
})

test('a path that moved to another service is held by that one', () => {
  const moved = [service('a', []), service('b', [file('/etc/a', 'x')])]
  expect(takenPaths(moved, [applied('a', { '/etc/a': { was: wasFile() } })]).get('/etc/a')).toMatchObject({
    owners: ['a'],
    holder: 'b',
  })
})

test('of two services that need a path, the one that has it on record holds it', () => {
  const both = [service('b', [file('/srv/b', 'x')]), service('a', [file('/srv/a', 'x')])]
  expect(takenPaths(both, [applied('a', { '/srv': made })]).get('/srv')).toMatchObject({ holder: 'a', isAbove: true })
})

test('a directory that leaves for itself, above a path that stays, is known as one made on the way', () => {
  const taken = takenPaths([service('a', [file('/srv/a/b', 'x')])], [applied('a', {}, ['/srv/a'])])
  expect(taken.get('/srv/a')).toMatchObject({ taken: made, holder: 'a', isAbove: true })
})

test('a directory that is still desired for itself is nothing that was made on the way', () => {
  expect(takenPaths([service('a', [directory('/srv/a')])], [applied('a', {}, ['/srv/a'])]).size).toBe(0)
})

test.each([
  ['a file', file('/srv/a', 'x')],
  ['a purged directory', directory('/srv/a', { purge: true })],
])('below %s nothing can be put back: what was there is held', (_, above) => {
  const taken = takenPaths([service('a', [above])], [applied('a', { '/srv/a/old': { was: wasFile() } })])
  expect(taken.get('/srv/a/old')).toMatchObject({ holder: 'a', isBlocked: true })
})

test('of two services that took one path, the second found what the first had made', () => {
  const [first, second] = [applied('a', { '/srv': { was: wasFile() } }), applied('b', { '/srv': made })]
  for (const all of [
    [first, second],
    [second, first],
  ])
    expect(takenPaths([], all).get('/srv')?.taken).toEqual({ was: wasFile(), made: true })
})

test.each<[string, Original, string | undefined, boolean]>([
  ['a file in the object store', wasFile('yes'), undefined, true],
  ['a file that is live still', wasFile('live'), sha('old'), true],
  ['a file that was live and is another now', wasFile('live'), sha('new'), false],
  ['a file that was too large to be kept', wasFile('no'), sha('old'), false],
  ['a symlink', { type: 'symlink', target: '/x', uid: 0, gid: 0 }, undefined, true],
  ['a directory', { type: 'directory', mode: 0o755, uid: 0, gid: 0 }, undefined, true],
  ['nothing', { type: 'missing' }, undefined, false],
  ['a FIFO', { type: 'fifo' }, undefined, false],
])('%s is restorable or not', (_, original, content, expected) => {
  expect(isRestorable(original, content)).toBe(expected)
})

test('only what no service desires returns, and only where something was there before', () => {
  const live = { attributes: {} }
  expect(isReturning({ desired: undefined, original: wasFile(), live })).toBe(true)
  expect(isReturning({ desired: file('/a', 'x'), original: wasFile(), live })).toBe(false)
  expect(isReturning({ desired: undefined, live })).toBe(false)
})

test('content that is only live has to be kept before it is replaced, and no other', () => {
  expect(contentToKeep(wasFile('live'))).toBe(sha('old'))
  for (const original of [wasFile('yes'), wasFile('no'), undefined]) expect(contentToKeep(original)).toBeUndefined()
  expect(contentOf(wasFile('no'))).toBe(sha('old'))
  expect(contentOf({ type: 'symlink', target: '/x', uid: 0, gid: 0 })).toBe('/x')
  expect(contentOf({ type: 'missing' })).toBeUndefined()
})
