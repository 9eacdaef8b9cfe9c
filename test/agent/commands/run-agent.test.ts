// `plumb agent` as a process: what the systemd service runs.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
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
  await agent.said('"states":{"base":"in-sync","hello":"in-sync","nginx":"in-sync"}')
  expect(agent.log()).toContain('"summary":"wrote /etc/motd (new)"')

  agent.mark()
  await box.write('/etc/motd', 'typed\n')
  await agent.said('"states":{"base":"drift","hello":"in-sync","nginx":"in-sync"}')
  expect(await box.read('/etc/motd')).toBe('typed\n')
  expect(await box.plumb('status')).toMatchObject({ code: 2, out: expect.stringContaining('base   drift: /etc/motd') })

  agent.mark()
  expect(await box.plumb('apply')).toMatchObject({ code: 0, out: expect.stringContaining('base: wrote /etc/motd') })
  await agent.said('"states":{"base":"in-sync"')
  expect(await box.read('/etc/motd')).toContain('This is web-1.')

  agent.child.kill('SIGTERM')
  expect(await agent.ended).toEqual({ code: 0, signal: null })
  expect(agent.log()).toContain('"agent stopped"')
})

test('with --log-level debug the log has children, fetches and the reasons of plans; without it, none of them', async () => {
  const agent = box.agent('--log-level', 'debug')
  await agent.said('"msg":"looked"')
  const lines = agent
    .log()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line))
  const child = lines.find(({ msg, program }) => msg === 'child ended' && program === 'git')
  expect(child).toMatchObject({ level: 20, exit: 0, milliseconds: expect.any(Number), args: expect.any(Array) })
  expect(lines.find(({ msg }) => msg === 'fetch ended')).toMatchObject({ revision: await fleet.head(), problems: [] })
  const [plan] = lines.filter(({ msg }) => msg === 'plan made')
  const steps = plan.services.find(({ service }: { readonly service: string }) => service === 'base').steps
  expect(steps.join('\n')).toMatch(/^change file:\/etc\/motd/m)
  await agent.kill()

  const resting = box.agent('--log-level', 'debug')
  await resting.said('"msg":"looked"')
  const atRest = /^.*"msg":"plan made".*$/m.exec(resting.log())?.[0] ?? ''
  expect(JSON.parse(atRest)).toMatchObject({ msg: 'plan made', compared: expect.any(Number) })
  expect(atRest).not.toMatch(/services|isRemovalRefused/)
  await resting.kill()

  const quiet = box.agent()
  await quiet.said('"msg":"looked"')
  expect(quiet.log()).not.toContain('"level":20')
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

test('SIGTERM while a remote does not answer breaks the sync off and ends the agent', async () => {
  const held = await heldRepository(fleet)
  const agent = (await following(held.served)).agent()
  await held.asked

  agent.child.kill('SIGTERM')
  agent.child.kill('SIGINT')

  expect(await agent.ended).toEqual({ code: 0, signal: null })
  expect(agent.log()).toContain('"agent stopped"')
  held.release()
})

test('drift is seen while a remote does not answer', async () => {
  expect((await box.plumb('apply')).code).toBe(0)
  const held = await heldRepository(fleet)
  const agent = (await following(held.served)).agent()
  await held.asked
  await box.write('/etc/motd', 'typed\n')

  await agent.said('"states":{"base":"drift"')

  expect(await box.plumb('status')).toMatchObject({
    code: 2,
    out: expect.stringMatching(/sync has taken (?:\d+ s|\d+ min)\n/),
  })
  held.release()
  await agent.kill()
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
  held.release()
  await vi.waitFor(() => expect(existsSync(join(box.root, 'etc/motd'))).toBe(true), { timeout: 120_000 })

  agent.stdin?.end()

  expect(await once(agent, 'exit')).toEqual([0, null])
})

test.each([
  ['thrown by a callback', `throw new Error('provoked')`, 'uncaughtException'],
  ['a promise that nobody waits for', `Promise.reject(new Error('provoked'))`, 'unhandledRejection'],
  [
    'an error event that nobody listens to',
    `new EventEmitter().emit('error', new Error('provoked'))`,
    'uncaughtException',
  ],
])(
  'a fault of the agent itself, %s, is logged with its stack and ends it; the next agent goes on',
  async (_, fault, origin) => {
    const module = `import { EventEmitter } from 'node:events'\nprocess.on('SIGUSR2', () => { ${fault} })\n`
    await writeFile(join(box.directory, 'fault.mjs'), module)
    vi.stubEnv('NODE_OPTIONS', `--import ${join(box.directory, 'fault.mjs')}`)
    const agent = box.agent()
    vi.unstubAllEnvs()
    await agent.said('"looked"')

    agent.child.kill('SIGUSR2')

    expect(await agent.ended).toEqual({ code: 70, signal: null })
    const line = agent
      .log()
      .split('\n')
      .find((text) => text.includes('ends by a fault of its own'))
    expect(JSON.parse(line ?? '{}')).toMatchObject({
      level: 60,
      origin,
      err: { message: 'provoked', stack: expect.stringContaining('fault.mjs') },
    })
    await box.agent().said('"looked"')
  },
)

/** The same root and state, following that remote. */
async function following({ url }: ServedRepository): Promise<Sandbox> {
  const sandbox = await makeSandbox({ repo: url, directory: box.directory })
  onTestFinished(() => sandbox.remove())
  return sandbox
}

/** A remote whose first answer waits until it is let go: a sync is under way meanwhile. */
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
