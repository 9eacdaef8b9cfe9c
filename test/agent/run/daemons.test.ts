// Commands whose daemon is restarted in mid-command. The daemon is a real socket and a real pid file; the program is a function.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { withRestarts } from '../../../agent/host/daemons.ts'
import type { Command, CommandResult, Run } from '../../../shared/command.ts'

const failed: CommandResult = { code: 1, stdout: '', stderr: 'it failed\n' }
const fine: CommandResult = { code: 0, stdout: 'fine\n', stderr: '' }
const listing: Command = { args: ['docker', 'ps'], deadlineSeconds: 30 }

let directory: string
let socket: string
let mark: string
let server: Server | undefined

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'plumb-daemon-'))
  socket = join(directory, 'docker.sock')
  mark = join(directory, 'docker.pid')
  await start()
})
afterEach(async () => {
  await stop()
  rmSync(directory, { recursive: true, force: true })
})

const restarts = {
  'was restarted meanwhile': async () => {
    await stop()
    await start()
  },
  'is away, and comes back a moment later': async () => {
    await stop()
    setTimeout(() => void start(), 300)
  },
  'was started by its socket, which answered all the time': async () => {
    rmSync(mark)
    setTimeout(() => writeFileSync(mark, '2'), 300)
  },
}

test.each(Object.entries(restarts))('a command that fails while its daemon %s is run again', async (_, restart) => {
  const { run, seen } = program(async (attempt) => {
    if (attempt > 1) return fine
    await restart()
    return failed
  })

  expect(await run(listing)).toEqual(fine)
  expect(seen).toHaveLength(2)
  expect(seen[1]?.deadlineSeconds).toBeLessThan(30)
})

test('a command that fails for a reason of its own is not run again', async () => {
  const { run, seen } = program(async () => failed)

  expect(await run(listing)).toEqual(failed)
  expect(seen).toHaveLength(1)
})

test.each<[string, CommandResult]>([
  ['took all of its time', { ...failed, code: 'deadline' }],
  ['is not installed', { ...failed, code: 127 }],
  ['could not be started', { ...failed, code: 126 }],
])('a command that %s is not run again, whatever became of its daemon', async (_, result) => {
  const { run, seen } = program(async () => {
    await stop()
    await start()
    return result
  })

  expect(await run(listing)).toEqual(result)
  expect(seen).toHaveLength(1)
})

test('a daemon that does not come back is waited for until the deadline of the command', async () => {
  const { run } = program(async () => {
    await stop()
    return failed
  })
  const before = performance.now()

  expect(await run({ ...listing, deadlineSeconds: 1 })).toEqual(failed)
  expect(performance.now() - before).toBeGreaterThan(900)
})

test('a daemon that did not run before is not waited for', async () => {
  await stop()
  const { run, seen } = program(async () => failed)

  expect(await run(listing)).toEqual(failed)
  expect(seen).toHaveLength(1)
})

test('other programs are run once', async () => {
  const { run, seen } = program(async () => {
    await stop()
    return failed
  })

  expect(await run({ args: ['git', 'fetch'] })).toEqual(failed)
  expect(seen).toHaveLength(1)
})

function program(answer: (attempt: number) => Promise<CommandResult>): { run: Run; seen: Command[] } {
  const seen: Command[] = []
  const run = withRestarts(
    (command) => {
      seen.push(command)
      return answer(seen.length)
    },
    [{ program: 'docker', socket, marks: [mark] }],
  )
  return { run, seen }
}

async function start(): Promise<void> {
  const listening = createServer((connection) => connection.on('error', () => undefined))
  server = listening
  onTestFinished(() => void listening.close())
  await new Promise<void>((resolve) => listening.listen(socket, resolve))
  writeFileSync(mark, '1')
}

/** As a daemon that ends in order: its files go with it. */
async function stop(): Promise<void> {
  const listening = server
  server = undefined
  rmSync(mark, { force: true })
  if (listening !== undefined) await new Promise((resolve) => listening.close(resolve))
}
