import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { FileEvents, type Watched } from '../../../agent/watch/file-events.ts'
import { absolutePathSchema } from '../../../shared/names.ts'

let root: string
let changes: number
let overflows: number
let events: FileEvents

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'plumb-watch-'))
  mkdirSync(join(root, 'etc/app'), { recursive: true })
  writeFileSync(join(root, 'etc/app/app.conf'), 'one\n')
  changes = 0
  overflows = 0
  events = watching()
})
afterEach(() => {
  events.close()
  rmSync(root, { recursive: true, force: true })
})

test.each<[string, () => void]>([
  ['written in place', () => writeFileSync(at('etc/app/app.conf'), 'two\n')],
  ['replaced by rename, as editors do', () => replaced('etc/app/app.conf')],
  ['removed', () => unlinkSync(at('etc/app/app.conf'))],
  ['given another mode', () => chmodSync(at('etc/app/app.conf'), 0o600)],
  ['below a directory that is moved away', () => renameSync(at('etc'), at('gone'))],
])('a file that is %s is an event', async (_, change) => {
  events.follow(watched({ paths: ['/etc/app/app.conf'] }))

  change()

  await vi.waitFor(() => expect(changes).toBeGreaterThan(0))
})

test('other files in the same directories wake nobody', async () => {
  events.follow(watched({ paths: ['/etc/app/app.conf'] }))

  writeFileSync(at('etc/app/other.conf'), 'x')
  writeFileSync(at('etc/passwd'), 'x')
  await pause(100)

  expect(changes).toBe(0)
})

test('a directory that vanishes and comes again is watched again', async () => {
  const both = watched({ paths: ['/etc/app/app.conf'] })
  events.follow(both)
  rmSync(at('etc/app'), { recursive: true })
  await vi.waitFor(() => expect(changes).toBeGreaterThan(0))
  mkdirSync(at('etc/app'))
  expect(events.follow(both)).toBe(true)
  changes = 0

  writeFileSync(at('etc/app/app.conf'), 'three\n')

  await vi.waitFor(() => expect(changes).toBeGreaterThan(0))
  expect(events.follow(both)).toBe(false)
})

test('a link on the way that leads elsewhere from now on is followed to there', async () => {
  mkdirSync(at('srv/one'), { recursive: true })
  mkdirSync(at('srv/two'))
  symlinkSync('../srv/one', at('etc/linked'))
  const linked = watched({ paths: ['/etc/linked/x.conf'] })
  events.follow(linked)
  symlinkSync('../srv/two', at('etc/new'))
  renameSync(at('etc/new'), at('etc/linked'))
  await vi.waitFor(() => expect(changes).toBeGreaterThan(0))
  expect(events.follow(linked)).toBe(true)
  changes = 0

  writeFileSync(at('srv/two/x.conf'), 'x')

  await vi.waitFor(() => expect(changes).toBeGreaterThan(0))
})

test('in a purged directory every name counts, also in what is made below it', async () => {
  const purged = watched({ trees: ['/etc/app'] })
  events.follow(purged)
  mkdirSync(at('etc/app/deep'))
  await vi.waitFor(() => expect(changes).toBeGreaterThan(0))
  events.follow(purged)
  changes = 0

  writeFileSync(at('etc/app/deep/extra'), 'x')

  await vi.waitFor(() => expect(changes).toBeGreaterThan(0))
})

test('a flood that may have filled the queue of the kernel asks for a full check', async () => {
  events.follow(watched({ paths: ['/etc/app/app.conf'] }))

  for (let count = 0; count < 10_000; count += 1) writeFileSync(at(`etc/app/flood-${count % 50}`), String(count))

  await vi.waitFor(() => expect(overflows).toBe(1))
})

test('more directories than may be watched are a problem that is told, and the rest is watched', () => {
  mkdirSync(at('srv/a'), { recursive: true })
  events = watching(3)

  events.follow(watched({ paths: ['/etc/app/app.conf', '/srv/a/x', '/etc/b/x'] }))

  expect(events.size).toBe(3)
  expect(events.problem?.message).toContain('only 3 directories are watched')
})

function watching(limit?: number): FileEvents {
  return new FileEvents({
    root,
    changed: () => {
      changes += 1
    },
    overflowed: () => {
      overflows += 1
    },
    ...(limit === undefined ? {} : { limit }),
  })
}

function watched({ paths = [], trees = [] }: { paths?: string[]; trees?: string[] }): Watched {
  const parsed = (all: string[]) => all.map((path) => absolutePathSchema.parse(path))
  return { paths: parsed(paths), trees: parsed(trees) }
}

function at(path: string): string {
  return join(root, path)
}

function replaced(path: string): void {
  writeFileSync(at(`${path}.swp`), 'two\n')
  renameSync(at(`${path}.swp`), at(path))
}
