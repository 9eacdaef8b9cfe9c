// Server-sent events for open pages: `changed`, with the noun and the name of what was recorded.
import { Hono } from 'hono'
import { streamSSE } from 'hono/streaming'
import type { Changed, Changes } from '../show/changes.ts'
import { RefusedRequest } from './errors.ts'

const readersAtOnce = 500
const keepAliveMs = 25_000
/** More different changes than this wait for a slow reader as one: look at everything again. */
const waitingLimit = 500

export function eventRoutes(changes: Changes, closing: AbortSignal): Hono {
  let readers = 0
  const routes = new Hono()
  routes.get('/events', (context) => {
    if (readers >= readersAtOnce) {
      throw new RefusedRequest({ status: 503, code: 'busy', message: 'Too many pages are open; this one is not live.' })
    }
    readers += 1
    context.header('x-accel-buffering', 'no')
    return streamSSE(context, async (stream) => {
      const feed = createFeed(changes)
      const stop = () => feed.close()
      stream.onAbort(stop)
      closing.addEventListener('abort', stop)
      try {
        await stream.write('retry: 3000\n\n')
        for (let batch = await feed.next(); batch !== undefined; batch = await feed.next()) {
          if (batch.length === 0) await stream.write(': still here\n\n')
          for (const changed of batch) await stream.writeSSE({ event: 'changed', data: JSON.stringify(changed) })
        }
      } finally {
        readers -= 1
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
