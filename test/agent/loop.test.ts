// When the running agent syncs and checks, with a fake clock: nothing here waits for real time.
import { expect, test } from 'vitest'
import { type Clock, type PassRequest, Requests, runLoop, syncFloorMs, syncPatienceMs } from '../../agent/loop.ts'
import { buildReport } from '../../agent/report/build.ts'
import { hostNameSchema } from '../../shared/names.ts'

const timing = { syncEverySeconds: 60, checkEverySeconds: 20 }
const seconds = 1000

test('it syncs and checks at once, then each when it is due', async () => {
  const agent = startLoop()
  await agent.passes(1)
  await agent.clock.advance(19 * seconds)
  expect(agent.asked).toEqual([{ full: false, at: 0 }])

  for (let passed = 20; passed <= 120; passed += 20) {
    await agent.clock.advance((passed === 20 ? 1 : 20) * seconds)
    await agent.passes(1 + passed / 20)
  }

  expect(agent.asked.map(({ at }) => at / seconds)).toEqual([0, 20, 40, 60, 80, 100, 120])
  expect(agent.synced.map((at) => at / seconds)).toEqual([0, 60, 120])
  await agent.stop()
})

test('passes are up to a tenth early, so that a fleet that started together does not stay together', async () => {
  const agent = startLoop({ random: 0 })
  await agent.passes(1)

  await agent.clock.advance(18 * seconds)

  expect(agent.asked.map(({ at }) => at / seconds)).toEqual([0, 18])
  await agent.stop()
})

test('a remote that does not answer keeps nobody from looking: the first pass waits some seconds for it, the others not at all', async () => {
  const agent = startLoop({ remote: 'held' })
  await agent.clock.advance(syncPatienceMs)
  await agent.passes(1)
  for (let count = 2; count <= 5; count += 1) {
    await agent.clock.advance(20 * seconds)
    await agent.passes(count)
  }

  expect(agent.asked.map(({ at }) => at / seconds)).toEqual([5, 25, 45, 65, 85])
  expect(agent.synced).toEqual([0])

  agent.answer()
  await agent.passes(6)
  expect(agent.asked[5]?.at).toBe(85 * seconds)
  await agent.clock.advance(20 * seconds)
  await agent.clock.advance(20 * seconds)
  await agent.clock.advance(20 * seconds)
  expect(agent.synced.map((at) => at / seconds)).toEqual([0, 145])
  await agent.stop()
})

test('what a sync brings while a pass runs is for one more pass, at once', async () => {
  const agent = startLoop({ remote: 'held', held: true })
  void agent.clock.advance(syncPatienceMs)
  await agent.passes(1)

  agent.answer()
  agent.release()
  await agent.passes(2)
  agent.release()
  await agent.clock.advance(1 * seconds)

  expect(agent.asked).toHaveLength(2)
  await agent.stop()
})

test('a change on the host is looked at while a remote does not answer', async () => {
  const agent = startLoop({ remote: 'held' })
  await agent.clock.advance(syncPatienceMs)
  await agent.passes(1)
  await agent.clock.advance(1 * seconds)

  agent.requests.add('check')
  await agent.passes(2)

  expect(agent.asked[1]?.at).toBe(6 * seconds)
  await agent.stop()
})

test.each(['sync', 'both'])(
  'a server that asks in a loop (%s) makes it sync every few seconds, not more often',
  async (what) => {
    const agent = startLoop()
    await agent.passes(1)

    for (let at = 0; at < 60 * seconds; at += 500) {
      agent.requests.add('sync')
      if (what === 'both' && at % 5000 === 0) agent.requests.add('check')
      await agent.clock.advance(500)
    }

    expect(agent.synced.length).toBeGreaterThan(5)
    expect(agent.synced.length).toBeLessThanOrEqual(60_000 / syncFloorMs + 1)
    expect(agent.asked.length).toBeLessThanOrEqual(2 * agent.synced.length)
    await agent.stop()
  },
)

test('a stop breaks off the sync under way, and ends it', async () => {
  const agent = startLoop({ remote: 'held' })
  await agent.clock.advance(1 * seconds)

  await agent.stop()

  expect(agent.brokenOff()).toBe(1)
  expect(agent.asked).toEqual([])
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

  for (let ask = 0; ask < 10; ask += 1) agent.requests.add(ask % 2 === 0 ? 'sync' : 'check')
  await agent.passes(2)
  await agent.clock.advance(1 * seconds)

  expect(agent.asked.slice(1)).toEqual([{ full: false, at: 5 * seconds }])
  expect(agent.synced).toEqual([0, 5 * seconds])
  await agent.stop()
})

test('an ask for a check does not ask the remote', async () => {
  const agent = startLoop()
  await agent.passes(1)

  agent.requests.add('check')
  await agent.passes(2)

  expect(agent.synced).toEqual([0])
  await agent.stop()
})

test('asks while a pass runs lead to one more pass after it, and to no third', async () => {
  const agent = startLoop({ held: true })
  await agent.passes(1)

  for (let ask = 0; ask < 10; ask += 1) agent.requests.add('check')
  expect(agent.asked).toHaveLength(1)
  agent.release()
  await agent.passes(2)
  agent.release()
  await agent.clock.advance(1 * seconds)

  expect(agent.synced).toEqual([0])
  expect(agent.published()).toBe(2)
  await agent.stop()
})

test('a report that cannot be published ends it, with the sync under way', async () => {
  const agent = startLoop({ remote: 'held', publish: () => Promise.reject(new Error('no room')) })
  void agent.clock.advance(syncPatienceMs)

  await expect(agent.ended).rejects.toThrow('no room')
  expect(agent.brokenOff()).toBe(1)
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
  agent.requests.add('sync')
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
  /** `held`: the first sync waits for `answer()`. */
  readonly remote?: 'answers' | 'held'
  readonly publish?: () => Promise<void>
}

function startLoop({ random = 1, every = timing, held = false, remote = 'answers', publish }: LoopOptions = {}) {
  const clock = new FakeClock(random)
  const requests = new Requests()
  const stop = new AbortController()
  const asked: (PassRequest & { readonly at: number })[] = []
  const synced: number[] = []
  let published = 0
  let brokenOff = 0
  const answered = Promise.withResolvers<void>()
  let gate = Promise.withResolvers<void>()
  const seen: (() => void)[] = []
  const report = buildReport({
    host: hostNameSchema.parse('web-1'),
    revision: undefined,
    services: [],
    problems: [],
  })
  const ended = runLoop(
    {
      clock,
      requests,
      sync: async (signal) => {
        synced.push(clock.now())
        if (remote === 'answers' || synced.length > 1) return
        signal.addEventListener('abort', () => {
          brokenOff += 1
          answered.resolve()
        })
        await answered.promise
      },
      pass: async (request) => {
        asked.push({ ...request, at: clock.now() })
        for (const resolve of seen.splice(0)) resolve()
        if (held) await gate.promise
        return { report, timing: every }
      },
      publish: async () => {
        published += 1
        await publish?.()
      },
    },
    stop.signal,
  )
  return {
    clock,
    requests,
    asked,
    ended,
    synced,
    answer: () => answered.resolve(),
    brokenOff: () => brokenOff,
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
