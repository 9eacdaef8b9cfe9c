import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { acquireLock } from '../../../agent/state/lock.ts'

let directory: string
let children: ChildProcess[]

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'plumb-lock-'))
  children = []
})
afterEach(() => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
})

const mine = { purpose: 'test', now: new Date() }

/** All that a holder prints until it ends, and its first line. */
function holder(waitSeconds = 0, holdMs = 600_000) {
  const script = join(import.meta.dirname, 'hold-lock.ts')
  const args = [script, directory, String(waitSeconds), String(holdMs)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  let text = ''
  const said = new Promise<string>((resolve) =>
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      resolve(text)
    }),
  )
  const ended = new Promise<string>((resolve) => child.once('close', () => resolve(text)))
  return { child, said, ended }
}

test('the second one is told who holds the lock and since when', async () => {
  const first = holder()
  await first.said
  await expect(acquireLock(directory, mine)).rejects.toMatchObject({
    code: 'locked',
    message: expect.stringMatching(new RegExp(`"plumb apply" is under way: process ${first.child.pid}, since 20`)),
  })
})

test('a holder that was killed holds nothing', async () => {
  const first = holder()
  await first.said
  first.child.kill('SIGKILL')
  await first.ended
  const lock = await acquireLock(directory, mine)
  lock.release()
})

test('neither a process that got the same number nor one of an earlier boot holds the lock', async () => {
  const lock = await acquireLock(directory, mine)
  const [name = ''] = readdirSync(directory)
  const holding = JSON.parse(readFileSync(join(directory, name), 'utf8'))
  await expect(acquireLock(directory, mine)).rejects.toMatchObject({ code: 'locked' })
  writeFileSync(join(directory, name), JSON.stringify({ ...holding, started: '1' }))
  const next = await acquireLock(directory, mine)
  next.release()
  writeFileSync(join(directory, readdirSync(directory)[0] ?? ''), JSON.stringify({ ...holding, boot: 'another' }))
  const last = await acquireLock(directory, mine)
  last.release()
  lock.release()
})

test('who waits gets it when it is released', async () => {
  const first = await acquireLock(directory, mine)
  const waiting = acquireLock(directory, { ...mine, waitSeconds: 20 })
  first.release()
  const second = await waiting
  await expect(acquireLock(directory, mine)).rejects.toMatchObject({ code: 'locked' })
  second.release()
})

test('of many that start at once one holds it at a time, also over the body of a dead one', {
  timeout: 120_000,
}, async () => {
  const dead = holder()
  await dead.said
  dead.child.kill('SIGKILL')
  await dead.ended
  const told = await Promise.all(Array.from({ length: 12 }, () => holder(60, 20).ended))
  const spans = told.map((text) => {
    const [, from, to] = /held (\d+)\nreleased (\d+)/.exec(text) ?? []
    return { from: BigInt(from ?? '0'), to: BigInt(to ?? '0') }
  })
  const sorted = spans.toSorted((one, other) => (one.from < other.from ? -1 : 1))
  expect(sorted.every(({ from }) => from > 0n)).toBe(true)
  for (const [index, span] of sorted.entries())
    if (index > 0) expect(span.from > (sorted[index - 1]?.to ?? 0n)).toBe(true)
})
