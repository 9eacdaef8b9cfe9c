// Server-sent events for open pages: `changed`, with the noun and the name of what was recorded.
import { type Context, Hono } from 'hono'
import { streamSSE } from 'hono/streaming'
import { guarded } from '../../shared/platform/guarded.ts'
import { bounds } from '../allowance/bounds.ts'
import { createSlots } from '../allowance/slots.ts'
import type { Changed, Changes } from '../show/changes.ts'
import { RefusedRequest } from './errors.ts'

const keepAliveMs = 25_000
/** More different changes than this wait for a slow reader as one: look at everything again. */
const waitingLimit = 500

export type EventParts = {
  readonly changes: Changes
  /** Ends open streams. */
  readonly closing: AbortSignal
  /** Asked before each message: a reader who signed out, or whose session has ended, hears nothing more. */
  mayRead(context: Context): Promise<boolean>
  /** The same for all requests of one session, or of one address. */
  readerOf(context: Context): Promise<string>
}

export function eventRoutes({ changes, closing, mayRead, readerOf }: EventParts): Hono {
  const places = createSlots({ total: bounds.allStreams.limit, each: bounds.streams.limit })
  const routes = new Hono()
  routes.get('/events', async (context) => {
    const leave = places.take(await readerOf(context))
    if (leave === undefined) {
      throw new RefusedRequest({ status: 503, code: 'busy', message: 'Too many pages are open; this one is not live.' })
    }
    context.header('x-accel-buffering', 'no')
    return streamSSE(context, async (stream) => {
      const feed = createFeed(changes)
      const stop = guarded(
        () => feed.close(),
        () => stream.abort(),
      )
      stream.onAbort(stop)
      closing.addEventListener('abort', stop)
      try {
        await stream.write('retry: 3000\n\n')
        for (let batch = await feed.next(); batch !== undefined; batch = await feed.next()) {
          if (!(await mayRead(context))) break
          if (batch.length === 0) await stream.write(': still here\n\n')
          for (const changed of batch) await stream.writeSSE({ event: 'changed', data: JSON.stringify(changed) })
        }
      } finally {
        leave()
        feed.close()
        closing.removeEventListener('abort', stop)
      }
    })
  })
  return routes
}

type Feed = {
  /** What changed since the last call; empty after a while without a change, undefined when closed. */
  next(): Promise<readonly Changed[] | undefined>
  close(): void
}

/** Each thing waits once, however often it changes while the reader is slow. */
function createFeed(changes: Changes): Feed {
  const waiting = new Map<string, Changed>()
  let closed = false
  let wake = () => {}
  const unsubscribe = changes.subscribe((changed) => {
    if (waiting.size >= waitingLimit) waiting.clear()
    waiting.set(`${changed.noun} ${changed.name}`, changed)
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
