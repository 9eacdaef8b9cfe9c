// Asks to sync: repeated ones are one, and nothing new is missed.
import { expect, test } from 'vitest'
import { createSyncAsks } from '../../../server/app/sync-asks.ts'
import { hostNameSchema } from '../../../shared/names.ts'

const [web, box] = ['web-1', 'box-1'].map((name) => hostNameSchema.parse(name)) as [never, never]

function world() {
  const sent: string[] = []
  const connected = new Set<never>([web, box])
  const time = { now: 0 }
  const asks = createSyncAsks(
    {
      send(host) {
        if (connected.has(host as never)) sent.push(host)
        return connected.has(host as never)
      },
      connectedHosts: () => [...connected],
    },
    { elapsed: () => time.now },
  )
  return { sent, connected, time, asks }
}

test('a loop of asks reaches each agent once in three seconds', () => {
  const { sent, time, asks } = world()

  expect(asks.askAll(false)).toEqual({ asked: 2, alreadyAsked: 0 })
  for (time.now = 1; time.now < 3000; time.now += 10) expect(asks.askAll(false)).toEqual({ asked: 0, alreadyAsked: 2 })
  expect(sent).toEqual([web, box])

  time.now = 3000
  expect(asks.askAll(false)).toEqual({ asked: 2, alreadyAsked: 0 })
})

test('what is new is asked for at once', () => {
  const { sent, asks } = world()
  asks.askAll(false)

  expect(asks.askAll(true)).toEqual({ asked: 2, alreadyAsked: 0 })
  expect(asks.askHost(web, true)).toBe('asked')
  expect(sent).toEqual([web, box, web, box, web])
})

test('one host and all hosts count together, and one that is gone was not asked', () => {
  const { connected, asks } = world()

  expect(asks.askHost(web, false)).toBe('asked')
  expect(asks.askHost(web, false)).toBe('already-asked')
  expect(asks.askAll(false)).toEqual({ asked: 1, alreadyAsked: 1 })
  connected.delete(web)
  expect(asks.askHost(web, false)).toBe('not-connected')
  connected.add(web)
  expect(asks.askHost(web, false)).toBe('asked')
})

test('an ask that came too soon is sent when the time is over, once', () => {
  const { sent, time, asks } = world()
  asks.askAll(false)
  for (time.now = 1; time.now < 3000; time.now += 500) {
    asks.askHost(web, false)
    asks.askDue()
  }
  expect(sent).toEqual([web, box])

  time.now = 3000
  asks.askDue()
  asks.askDue()
  expect(sent).toEqual([web, box, web])
})

test('an ask may have been lost with its connection: the next one goes out', () => {
  const { sent, asks } = world()
  asks.askHost(web, false)
  asks.forget(web)
  expect(asks.askHost(web, false)).toBe('asked')
  expect(sent).toEqual([web, web])
})
