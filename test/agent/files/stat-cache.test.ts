import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { FileReader, StatCache } from '../../../agent/host/files.ts'
import { openFiles } from '../../../agent/host/files-open.ts'
import { absolutePathSchema } from '../../../shared/names.ts'

let root: string
let files: FileReader
let cache: StatCache
const paths = ['/etc/a/one', '/etc/b/two', '/etc/b/missing', '/top'].map((path) => absolutePathSchema.parse(path))
const at = (path: string) => join(root, path)

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  root = mkdtempSync(join(tmpdir(), 'plumb-stat-'))
  for (const directory of ['etc/a', 'etc/b']) mkdirSync(at(directory), { recursive: true })
  for (const file of ['etc/a/one', 'etc/b/two', 'top']) writeFileSync(at(file), 'x')
  files = openFiles({ root })
  cache = files.statCache(paths)
  later()
  expect(await moved()).toEqual([0, 1, 2, 3])
})
afterEach(() => {
  vi.useRealTimers()
  rmSync(root, { recursive: true, force: true })
})

/** What a look does: each that moved is looked at, and noted. */
async function moved(): Promise<readonly number[]> {
  const startedAt = Date.now()
  const positions = await cache.refresh()
  for (const position of positions) {
    const path = paths[position]
    if (path !== undefined) cache.note(position, files.stat(path) ?? 'missing', startedAt)
  }
  return positions
}

/** What was written until now is older than the tick of any file system. */
function later(): void {
  vi.setSystemTime(Date.now() + 10_000)
}

test('nothing moved: nothing is told', async () => {
  expect(await moved()).toEqual([])
})

test.each<[string, () => void]>([
  ['written', () => writeFileSync(at('etc/b/two'), 'xy')],
  ['given a mode', () => chmodSync(at('etc/b/two'), 0o600)],
  ['rewritten with its size and times restored', () => rewritten('etc/b/two')],
  ['replaced by rename', () => replaced('etc/b/two')],
  ['given another name besides', () => linkSync(at('etc/b/two'), at('etc/b/other'))],
  ['removed', () => unlinkSync(at('etc/b/two'))],
])('one that was %s is told, once', async (_, change) => {
  change()
  later()

  expect(await moved()).toEqual([1])
  expect(await moved()).toEqual([])
})

test('one that appears is told', async () => {
  writeFileSync(at('etc/b/missing'), 'x')

  expect(await moved()).toEqual([2])
})

test('one that may yet change within the same tick is told again', async () => {
  vi.setSystemTime(new Date())
  vi.useRealTimers()
  writeFileSync(at('top'), 'y')

  expect(await moved()).toEqual([3])
  expect(await moved()).toEqual([3])
})

test('behind a link nothing can be told, though the very same files are there', async () => {
  renameSync(at('etc/b'), at('etc/moved'))
  symlinkSync('moved', at('etc/b'))

  expect(await moved()).toEqual([1, 2])
  expect(await moved()).toEqual([1, 2])
})

test('where a directory is missing nothing can be told', async () => {
  rmSync(at('etc/a'), { recursive: true })

  expect(await moved()).toEqual([0])
  expect(await moved()).toEqual([0])
})

test('one that was not noted is told again', async () => {
  writeFileSync(at('top'), 'y')

  expect(await cache.refresh()).toEqual([3])
  expect(await cache.refresh()).toEqual([3])
})

test('for a reader without memory all is told, and then known to both', async () => {
  cache = files.withoutMemory().statCache(paths)
  expect(await moved()).toEqual([0, 1, 2, 3])

  cache = files.statCache(paths)
  expect(await moved()).toEqual([])
})

function rewritten(path: string): void {
  writeFileSync(at(path), 'z')
  utimesSync(at(path), 1000, 1000)
}

function replaced(path: string): void {
  writeFileSync(at(`${path}.new`), 'x')
  renameSync(at(`${path}.new`), at(path))
}
