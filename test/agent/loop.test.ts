// When the running agent syncs and checks, with a fake clock: nothing here waits for real time.
import { expect, test } from 'vitest'
import { Asks, type Clock, type PassRequest, runLoop } from '../../agent/loop.ts'
import { reportOf } from '../../agent/report-of.ts'
import { hostNameSchema } from '../../shared/names.ts'

const timing = { syncEverySeconds: 60, checkEverySeconds: 20 }
const seconds = 1000

test('it syncs and checks at once, then each when it is due', async () => {
  const agent = startLoop()
  await agent.passes(1)
  await agent.clock.advance(19 * seconds)
  expect(agent.asked).toEqual([{ sync: true, full: false, at: 0 }])

  for (let passed = 20; passed <= 120; passed += 20) await agent.clock.advance((passed === 20 ? 1 : 20) * seconds)

  expect(agent.asked.map(({ sync, at }) => [at / seconds, sync])).toEqual([
    [0, true],
    [20, false],
    [40, false],
    [60, true],
    [80, false],
    [100, false],
    [120, true],
  ])
  await agent.stop()
})

test('passes are up to a tenth early, so that a fleet that started together does not stay together', async () => {
  const agent = startLoop({ random: 0 })
  await agent.passes(1)

  await agent.clock.advance(18 * seconds)

  expect(agent.asked.map(({ at }) => at / seconds)).toEqual([0, 18])
  await agent.stop()
})

test('once a day everything is hashed again, since a stat can be forged', async () => {
  const agent = startLoop({ every: { syncEverySeconds: 3600, checkEverySeconds: 3600 } })
  await agent.passes(1)

  for (let hour = 1; hour <= 49; hour += 1) await agent.clock.advance(3600 * seconds)

  const full = agent.asked.filter((request) => request.full).map(({ at }) => at / (3600 * seconds))
  expect(full).toEqual([24, 48])
  await agent.stop()
})

test('ten asks while it waits are one pass, at once', async () => {
  const agent = startLoop()
  await agent.passes(1)
  await agent.clock.advance(5 * seconds)

  for (let ask = 0; ask < 10; ask += 1) agent.asks.ask(ask % 2 === 0 ? 'sync' : 'check')
  await agent.passes(2)
  await agent.clock.advance(1 * seconds)

  expect(agent.asked.slice(1)).toEqual([{ sync: true, full: false, at: 5 * seconds }])
  await agent.stop()
})

test('an ask for a check does not ask the remote', async () => {
  const agent = startLoop()
  await agent.passes(1)

  agent.asks.ask('check')
  await agent.passes(2)

  expect(agent.asked[1]).toMatchObject({ sync: false })
  await agent.stop()
})

test('asks while a pass runs lead to one more pass after it, and to no third', async () => {
  const agent = startLoop({ held: true })
  await agent.passes(1)

  for (let ask = 0; ask < 10; ask += 1) agent.asks.ask('sync')
  expect(agent.asked).toHaveLength(1)
  agent.release()
  await agent.passes(2)
  agent.release()
  await agent.clock.advance(1 * seconds)

  expect(agent.asked.map(({ sync }) => sync)).toEqual([true, true])
  expect(agent.published()).toBe(2)
  await agent.stop()
})

test('a stop while it waits ends it at once', async () => {
  const agent = startLoop()
  await agent.passes(1)

  await agent.stop()

  expect(agent.asked).toHaveLength(1)
})

test('a stop during a pass ends it after that pass, whose report is published', async () => {
  const agent = startLoop({ held: true })
  await agent.passes(1)

  const stopped = agent.stop()
  agent.asks.ask('sync')
  expect(agent.published()).toBe(0)
  agent.release()
  await stopped

  expect(agent.asked).toHaveLength(1)
  expect(agent.published()).toBe(1)
})

test('how often is decided anew by each pass: plumb.yaml may have changed', async () => {
  const every = { syncEverySeconds: 60, checkEverySeconds: 60 }
  const agent = startLoop({ every })
  await agent.passes(1)

  every.checkEverySeconds = 5
  await agent.clock.advance(60 * seconds)
  await agent.clock.advance(5 * seconds)

  expect(agent.asked.map(({ at }) => at / seconds)).toEqual([0, 60, 65])
  await agent.stop()
})

type Sleeper = { readonly until: number; readonly wake: () => void }

class FakeClock implements Clock {
  readonly #random: number
  #now = 0
  #sleeper: Sleeper | undefined
  #watching: (() => void)[] = []

  constructor(random: number) {
    this.#random = random
  }

  now(): number {
    return this.#now
  }

  random(): number {
    return this.#random
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#sleeper = { until: this.#now + ms, wake: resolve }
    signal.addEventListener('abort', () => resolve(), { once: true })
    for (const tell of this.#watching.splice(0)) tell()
    await promise
    this.#sleeper = undefined
  }

  /** Time goes by while the loop sleeps; what is due then happens, until it sleeps again. */
  async advance(ms: number): Promise<void> {
    const sleeper = await this.#asleep()
    this.#now += ms
    if (sleeper.until > this.#now) return
    sleeper.wake()
    await this.#asleep(sleeper)
  }

  async #asleep(before?: Sleeper): Promise<Sleeper> {
    while (this.#sleeper === undefined || this.#sleeper === before)
      await new Promise<void>((resolve) => this.#watching.push(resolve))
    return this.#sleeper
  }
}

type LoopOptions = {
  /** 1 (default): never early. */
  readonly random?: number
  readonly every?: typeof timing
  /** Each pass waits for `release()`. */
  readonly held?: boolean
}

function startLoop({ random = 1, every = timing, held = false }: LoopOptions = {}) {
  const clock = new FakeClock(random)
  const asks = new Asks()
  const stop = new AbortController()
  const asked: (PassRequest & { readonly at: number })[] = []
  let published = 0
  let gate = Promise.withResolvers<void>()
  const seen: (() => void)[] = []
  const report = reportOf({
    host: hostNameSchema.parse('web-1'),
    revision: undefined,
    services: [],
    problems: [],
  })
  const ended = runLoop(
    {
      clock,
      asks,
      pass: async (request) => {
        asked.push({ ...request, at: clock.now() })
        for (const resolve of seen.splice(0)) resolve()
        if (held) await gate.promise
        return { report, timing: every }
      },
      publish: async () => {
        published += 1
      },
    },
    stop.signal,
  )
  return {
    clock,
    asks,
    asked,
    published: () => published,
    /** Resolves once so many passes have begun. */
    passes: async (count: number) => {
      while (asked.length < count) await new Promise<void>((resolve) => seen.push(resolve))
    },
    release: () => {
      gate.resolve()
      gate = Promise.withResolvers<void>()
    },
    stop: () => {
      stop.abort()
      return ended
    },
  }
}
