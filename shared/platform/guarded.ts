// Handlers of events and timers. What such a handler throws has no caller to catch it and would end the whole server, so that
// every one of them is wrapped here: it ends what the handler belongs to, and nothing else.
import type { Logger } from 'pino'

/** Ends the connection, child or stream that a failed handler belongs to; it gets what the handler got. */
export type Ends<Args extends readonly unknown[]> = (thrown: unknown, ...args: Args) => void

/** `ends` also gets what an asynchronous handler rejects with. It must not throw. */
export function guarded<Args extends readonly unknown[]>(
  handler: (...args: Args) => unknown,
  ends: Ends<Args>,
): (...args: Args) => void {
  return (...args) => {
    try {
      const outcome = handler(...args)
      if (outcome instanceof Promise) outcome.catch((thrown: unknown) => ends(thrown, ...args))
    } catch (thrown) {
      ends(thrown, ...args)
    }
  }
}

/** For errors that another event reports as well. */
export const ignored: () => void = guarded(
  () => {},
  () => {},
)

/** Logs what was thrown and destroys the connection. */
export function endsConnection(log: Logger, connection: { destroy(): unknown }): (thrown: unknown) => void {
  return (thrown) => {
    log.error({ err: thrown }, 'an event handler failed: its connection is closed')
    connection.destroy()
  }
}
