// Server-sent events for open pages: `changed`, with the noun and the name of what was recorded.
import type { Context } from 'hono'
import { streamSSE } from 'hono/streaming'
import { guarded } from '../../../shared/platform/guarded.ts'
import { bounds } from '../../allowance/bounds.ts'
import { createSlots } from '../../allowance/slots.ts'
import type { EventFeed } from '../../app/events.ts'
import { shareOf } from '../../client-address.ts'
import { type Changed, changedBy, shownEvents } from '../../show/changes.ts'
import { addressOf } from '../arrival.ts'
import { RefusedRequest } from '../errors.ts'
import type { WebParts } from '../parts.ts'
import type { Route } from '../route.ts'

const keepAliveMs = 25_000
/** More different changes than this wait for a slow reader as one: look at everything again. */
const waitingLimit = 500

export type EventParts = Pick<WebParts, 'access' | 'events' | 'closing' | 'clientAddress'>

export function eventRoute({ access, events, closing, clientAddress }: EventParts): Route {
  const places = createSlots({ total: bounds.allStreams.limit, each: bounds.streams.limit })
  /** The same for all requests of one session, or of one address. */
  const readerOf = async (context: Context) =>
    (await access.personOf(context)) ?? shareOf(addressOf(context, clientAddress))
  return {
    ...{ method: 'GET', path: '/api/v1/events', role: 'reader', surface: 'api' },
    ...{ body: { kind: 'none' }, answer: { kind: 'events' } },
    async handler({ context }) {
      // Hono answers HEAD by GET without its body: a stream that nothing reads would keep its place for ever.
      if (context.req.method === 'HEAD') return context.body(null, 200, { 'content-type': 'text/event-stream' })
      const leave = places.take(await readerOf(context))
      if (leave === undefined) {
        throw new RefusedRequest({
          status: 503,
          code: 'busy',
          message: 'Too many pages are open; this one is not live.',
        })
      }
      context.header('x-accel-buffering', 'no')
      return streamSSE(context, async (stream) => {
        const feed = createFeed(events)
        const stop = guarded(
          () => feed.close(),
          () => stream.abort(),
        )
        stream.onAbort(stop)
        closing.addEventListener('abort', stop)
        try {
          await stream.write('retry: 3000\n\n')
          for (let batch = await feed.next(); batch !== undefined; batch = await feed.next()) {
            // A reader who signed out, or whose session has ended, hears nothing more.
            if (!(await access.mayRead(context))) break
            if (batch.length === 0) await stream.write(': still here\n\n')
            for (const changed of batch) await stream.writeSSE({ event: 'changed', data: JSON.stringify(changed) })
          }
        } finally {
          leave()
          feed.close()
          closing.removeEventListener('abort', stop)
        }
      })
    },
  }
}

type Feed = {
  /** What changed since the last call; empty after a while without a change, undefined when closed. */
  next(): Promise<readonly Changed[] | undefined>
  close(): void
}

/** Each thing waits once, however often it changes while the reader is slow. */
function createFeed(events: EventFeed): Feed {
  const waiting = new Map<string, Changed>()
  let closed = false
  let wake = () => {}
  const unsubscribe = events.subscribe(shownEvents, (event) => {
    for (const changed of changedBy(event)) {
      if (waiting.size >= waitingLimit) waiting.clear()
      waiting.set(`${changed.noun} ${changed.name}`, changed)
    }
    wake()
  })
  return {
    async next() {
      if (waiting.size === 0 && !closed) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, keepAliveMs)
          wake = () => {
            clearTimeout(timer)
            resolve()
          }
        })
      }
      if (closed) return undefined
      const batch = [...waiting.values()]
      waiting.clear()
      return batch
    },
    close() {
      closed = true
      unsubscribe()
      wake()
    },
  }
}
