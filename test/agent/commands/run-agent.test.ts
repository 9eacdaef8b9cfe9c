// `plumb agent` as a process: what the systemd service runs.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { exampleFleet } from '../../lab/example-fleet.ts'
import { type ServedRepository, serveRepository, type TestRepository } from '../../support/git.ts'
import { makeSandbox, type Sandbox } from '../../support/plumb.ts'

let fleet: TestRepository
let box: Sandbox

beforeEach(async () => {
  fleet = await exampleFleet((text) => text.replace('checkEvery: 10s', 'checkEvery: 1s'))
  box = await makeSandbox({ repo: fleet.directory })
})

afterEach(async () => {
  await box.remove()
  await fleet.remove()
})

test('the agent leaves drift alone and says so; plumb apply beside it puts it right', async () => {
  const agent = box.agent()
  agent.child.stdin.end()
  await agent.said('"states":{"base":"in-plumb","hello":"in-plumb","nginx":"in-plumb"}')
  expect(agent.log()).toContain('"summary":"wrote /etc/motd (new)"')

  agent.mark()
  await box.write('/etc/motd', 'typed\n')
  await agent.said('"states":{"base":"drift","hello":"in-plumb","nginx":"in-plumb"}')
  expect(await box.read('/etc/motd')).toBe('typed\n')
  expect(await box.plumb('status')).toMatchObject({ code: 2, out: expect.stringContaining('base   drift: /etc/motd') })

  agent.mark()
  expect(await box.plumb('apply')).toMatchObject({ code: 0, out: expect.stringContaining('base: wrote /etc/motd') })
  await agent.said('"states":{"base":"in-plumb"')
  expect(await box.read('/etc/motd')).toContain('This is web-1.')

  agent.child.kill('SIGTERM')
  expect(await agent.ended).toEqual({ code: 0, signal: null })
  expect(agent.log()).toContain('"agent stopped"')
})

test('a second agent on the same state says who has it and ends; one that was killed holds nothing', async () => {
  const first = box.agent()
  await first.said('"looked"')

  const second = box.agent()
  expect(await second.ended).toEqual({ code: 1, signal: null })
  expect(second.log()).toMatch(
    new RegExp(
      `plumb: ${box.state}/agent-lock: "plumb agent" is under way: process ${first.child.pid}, since .*end it`,
    ),
  )

  await first.kill()
  const third = box.agent()
  await third.said('"looked"')
})

test('SIGTERM during a pass lets it come to its end', async () => {
  const held = await heldRepository(fleet)
  const agent = (await following(held.served)).agent()
  await held.asked

  agent.child.kill('SIGTERM')
  agent.child.kill('SIGINT')
  held.release()

  expect(await agent.ended).toEqual({ code: 0, signal: null })
  expect(agent.log()).toContain('"agent stopped"')
  expect(await box.read('/etc/nginx/nginx.conf')).toContain('keepalive_timeout')
  expect((await box.plumb('status')).code).toBe(0)
})

test('an attached agent ends when its standard input does', async () => {
  const agent = box.agent('--attached')
  await agent.said('"looked"')

  agent.child.stdin.end()

  expect(await agent.ended).toEqual({ code: 0, signal: null })
})

test('a log that cannot be written ends no agent', async () => {
  const held = await heldRepository(fleet)
  const places = ['--repo', held.served.url, '--host', 'web-1', '--root', box.root, '--state', box.state]
  const full = await open('/dev/full', 'w')
  const plumb = join(import.meta.dirname, '../../../scripts/plumb')
  const agent = spawn(plumb, ['agent', '--attached', ...places], { stdio: ['pipe', full.fd, full.fd] })
  onTestFinished(() => void agent.kill('SIGKILL'))
  await full.close()
  await held.asked

  agent.stdin?.end()
  held.release()

  expect(await once(agent, 'exit')).toEqual([0, null])
  expect(existsSync(join(box.root, 'etc/motd'))).toBe(true)
})

/** The same root and state, following that remote. */
async function following({ url }: ServedRepository): Promise<Sandbox> {
  const sandbox = await makeSandbox({ repo: url, directory: box.directory })
  onTestFinished(() => sandbox.remove())
  return sandbox
}

/** A remote whose first answer waits until it is let go: a pass is under way meanwhile. */
async function heldRepository(repository: TestRepository) {
  const asked = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  let isFirst = true
  const served = await serveRepository(repository, {
    hold: async () => {
      if (!isFirst) return
      isFirst = false
      asked.resolve()
      await released.promise
    },
  })
  onTestFinished(() => served.close())
  return { served, asked: asked.promise, release: released.resolve }
}
