import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, expect, test, vi } from 'vitest'
import { Gather } from '../../../agent/watch/gather.ts'

const timing = { quietMs: 20, longestMs: 60, atOnce: 3, refillMs: 400 }
let gather: Gather | undefined
afterEach(() => gather?.close())

test('the five events of an editor are one ask', async () => {
  const ask = vi.fn()
  gather = new Gather(ask, timing)

  for (let event = 0; event < 5; event += 1) gather.event()
  await vi.waitFor(() => expect(ask).toHaveBeenCalled())
  await pause(100)

  expect(ask).toHaveBeenCalledTimes(1)
})

test('a burst that does not end is asked for all the same, but not all the time', async () => {
  const asked: number[] = []
  gather = new Gather(() => asked.push(performance.now()), timing)

  const end = performance.now() + 2000
  while (performance.now() < end) {
    gather.event()
    await pause(5)
  }

  // Three at once, then one for each refill of the two seconds.
  expect(asked.length).toBeGreaterThanOrEqual(5)
  expect(asked.length).toBeLessThanOrEqual(9)
})
