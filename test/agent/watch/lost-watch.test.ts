// A watch that the kernel gives up, which no test can make it do: the error is emitted on the real watch.

import type * as fs from 'node:fs'
import { type FSWatcher, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { FileEvents } from '../../../agent/watch/file-events.ts'
import { absolutePathSchema } from '../../../shared/names.ts'

const made: { readonly directory: string; readonly watcher: FSWatcher }[] = []

vi.mock('node:fs', async (importOriginal) => {
  const original = await importOriginal<typeof fs>()
  const watch = (directory: string, options: object, listener: fs.WatchListener<string>) => {
    const watcher = original.watch(directory, options, listener)
    made.push({ directory, watcher })
    return watcher
  }
  return { ...original, watch }
})

test('a directory whose watch fails is looked at at once, and watched again', async () => {
  const root = mkdtempSync(join(tmpdir(), 'plumb-lost-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  mkdirSync(join(root, 'etc'))
  const changed = vi.fn()
  const events = new FileEvents({ root, changed, overflowed: () => undefined })
  onTestFinished(() => events.close())
  const watched = { paths: [absolutePathSchema.parse('/etc/motd')], trees: [] }
  events.follow(watched)
  const lost = made.find(({ directory }) => directory === join(root, 'etc'))
  expect(lost).toBeDefined()

  lost?.watcher.emit('error', Object.assign(new Error('EIO'), { code: 'EIO' }))

  expect(changed).toHaveBeenCalledOnce()
  expect(events.follow(watched)).toBe(true)
  changed.mockClear()
  writeFileSync(join(root, 'etc/motd'), 'hello\n')
  await vi.waitFor(() => expect(changed).toHaveBeenCalled())
})
