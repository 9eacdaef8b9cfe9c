// Slots, turns and rates: an owner who takes all of their own leaves the others theirs.
import { describe, expect, test } from 'vitest'
import { createRate } from '../../../server/allowance/rate.ts'
import { createSlots, createTurns } from '../../../server/allowance/slots.ts'

const patient = new AbortController().signal

describe('slots', () => {
  test('one owner has so many, and another still gets one', () => {
    const slots = createSlots({ total: 10, each: 2 })

    expect([slots.take('rogue'), slots.take('rogue'), slots.take('rogue')].map((leave) => leave !== undefined)).toEqual(
      [true, true, false],
    )
    expect(slots.take('good')).toBeDefined()
  })

  test('all owners together have so many', () => {
    const slots = createSlots({ total: 3, each: 2 })
    const first = slots.take('a')
    slots.take('a')
    slots.take('b')

    expect(slots.take('c')).toBeUndefined()
    first?.()
    first?.()
    expect(slots.take('c')).toBeDefined()
    expect(slots.take('d')).toBeUndefined()
  })
})

describe('turns', () => {
  test('one owner waits for their own turns, and another goes past them', async () => {
    const turns = createTurns({ total: 3, each: 2 }, { total: 100, each: 1 })
    const rogue = await Promise.all([turns.enter('rogue', patient), turns.enter('rogue', patient)])
    let entered = false
    const third = turns.enter('rogue', patient).then((leave) => {
      entered = true
      return leave
    })

    expect(await turns.enter('rogue', patient)).toBeUndefined()
    expect(await turns.enter('good', patient)).toBeDefined()
    expect(entered).toBe(false)
    rogue[0]?.()
    expect(await third).toBeDefined()
  })

  test('who goes away gives up their place in the queue', async () => {
    const turns = createTurns({ total: 1, each: 1 }, { total: 1, each: 1 })
    const leave = await turns.enter('a', patient)
    const gone = new AbortController()
    const waiting = turns.enter('a', gone.signal)
    gone.abort()

    expect(await waiting).toBeUndefined()
    const next = turns.enter('b', patient)
    leave?.()
    expect(await next).toBeDefined()
    expect(await turns.enter('a', AbortSignal.abort())).toBeUndefined()
  })
})

describe('a rate', () => {
  test('gives one owner a burst and then so much a second, and others all of theirs', () => {
    let now = 0
    const rate = createRate({ burst: 3, perSecond: 2 }, () => now)

    expect([1, 2, 3, 4].map(() => rate.take('rogue'))).toEqual([true, true, true, false])
    expect(rate.take('good')).toBe(true)
    now += 500
    expect([1, 2].map(() => rate.take('rogue'))).toEqual([true, false])
    now += 60_000
    expect([1, 2, 3, 4].map(() => rate.take('rogue'))).toEqual([true, true, true, false])
  })

  test('says how long an owner in debt has to wait', () => {
    let now = 0
    const rate = createRate({ burst: 100, perSecond: 10 }, () => now)

    expect(rate.spend('a', 100)).toBe(0)
    expect(rate.spend('a', 50)).toBe(5000)
    now += 4000
    expect(rate.spend('a', 0)).toBe(1000)
  })

  test('remembers no endless number of owners, and none of them is forgiven by the number of others', () => {
    const rate = createRate({ burst: 1, perSecond: 0.001 }, () => 0)
    rate.take('rogue')

    for (let n = 0; n < 9000; n += 1) rate.take(`address ${n}`)

    expect(rate.take('rogue')).toBe(false)
  })
})
