// Children whose pipes fail: what the kernel can do to a pipe (EIO, EPIPE, ECONNRESET) and no test can make it do is emitted on the real
// streams of real children. An 'error' event that nobody listens to would end the whole process.

import type * as childProcess from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { beforeEach, expect, test, vi } from 'vitest'
import { operatorFrom, runAttended } from '../../../agent/host/operator.ts'
import { CatFile } from '../../../agent/sync/cat-file.ts'
import { listenToPodman } from '../../../agent/watch/container-events.ts'
import { createRun } from '../../../shared/platform/run.ts'

const started: ChildProcess[] = []

vi.mock('node:child_process', async (importOriginal) => {
  const original = await importOriginal<typeof childProcess>()
  const spawn = (...given: Parameters<typeof original.spawn>) => {
    const child = original.spawn(...given)
    started.push(child)
    return child
  }
  return { ...original, spawn }
})

beforeEach(() => {
  started.length = 0
})

const starters = {
  'a command': () => createRun()({ args: ['sleep', '0.2'], stdin: 'text' }),
  'an attended command': async () => runAttended(await operatorFrom(process.env), ['sleep', '0.2']),
  'git cat-file': () =>
    new CatFile({ command: { args: ['git', '--git-dir=/nowhere', 'cat-file', '--batch'] } })
      .find('0'.repeat(40), 'blob')
      .catch(() => undefined),
  "podman's events": () => new Promise<void>((resolve) => void listenToPodman(() => undefined, resolve)),
} satisfies Readonly<Record<string, () => Promise<unknown>>>

const streams = ['stdin', 'stdout', 'stderr', 'child'] as const

test.each(Object.entries(starters).flatMap(([name, start]) => streams.map((stream) => ({ name, start, stream }))))(
  '$name whose $stream fails comes to its end',
  async ({ start, stream }) => {
    const ended = start()
    await vi.waitFor(() => expect(started).toHaveLength(1))
    const [child] = started
    const failing = stream === 'child' ? child : child?.[stream]
    if (failing !== null && failing !== undefined)
      for (const code of ['EIO', 'ECONNRESET']) failing.emit('error', Object.assign(new Error(code), { code }))

    await ended
    expect(child?.listenerCount('error')).toBeGreaterThan(0)
  },
)
