import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { afterwards, host, kinds, openWith, stateDirectory, texts } from './fixture.ts'

const noRewind = { allowRewind: false }
const script = fileURLToPath(new URL('sync-until-killed.ts', import.meta.url))

describe.each(kinds)('over %s', (kind) => {
  test('a first clone killed at any moment is done again by the next sync', async () => {
    const { fleet, url } = await host(kind, { 'plumb.yaml': 'a', big: randomText(2_000_000) })
    const state = await stateDirectory()
    for (let round = 0; round < 8; round += 1) {
      const syncing = await start(state, url)
      await sleep(Math.random() * 120)
      await kill(syncing.child)
    }

    const repository = openWith(state, { url })
    const lastGood = await repository.lastGood()
    if (lastGood !== undefined) expect(Object.keys(await texts(lastGood))).toEqual(['big', 'plumb.yaml'])
    expect((await repository.sync(noRewind)).revision).toBe(await fleet.head())
  })

  test('syncs killed at random moments never lose the last accepted revision', async () => {
    const { fleet, url, state } = await host(kind, { 'plumb.yaml': '0', big: randomText(200_000) })
    const first = openWith(state, { url })
    await first.accept((await first.sync(noRewind)).revision)
    let accepted = await fleet.head()
    for (let round = 1; round <= 12; round += 1) {
      const syncing = await start(state, url)
      const pushed = await fleet.commit({ 'plumb.yaml': `${round}`, [`f${round}`]: randomText(20_000) })
      await sleep(Math.random() * 200)
      await kill(syncing.child)
      const lastGood = await openWith(state, { url }).lastGood()

      expect([accepted, ...syncing.said, pushed]).toContain(lastGood?.revision)
      expect((await texts(lastGood))['plumb.yaml']).toBe(lastGood?.revision === pushed ? `${round}` : `${round - 1}`)
      const repository = openWith(state, { url })
      const reader = await repository.sync(noRewind)
      expect(reader.revision).toBe(pushed)
      expect((await texts(reader))['plumb.yaml']).toBe(`${round}`)
      await repository.accept(reader.revision)
      accepted = pushed
    }
  })
})

async function start(
  state: string,
  url: string,
): Promise<{ readonly child: ChildProcess; readonly said: readonly string[] }> {
  const child = spawn(process.execPath, [script, state, url], { stdio: ['ignore', 'pipe', 'inherit'] })
  afterwards(() => kill(child))
  const said: string[] = []
  const lines = createInterface({ input: child.stdout ?? process.stdin })
  lines.on('line', (line) => said.push(line))
  await once(lines, 'line')
  return { child, said }
}

/** The agent alone: a git that it started lives on for a while, as in life. */
async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

function randomText(length: number): string {
  return Array.from({ length }, () => String.fromCharCode(32 + Math.floor(Math.random() * 90))).join('')
}
