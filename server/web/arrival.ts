// The request of node behind one of hono.
import type { HttpBindings } from '@hono/node-server'
import type { Context } from 'hono'
import type { Arrival } from '../client-address.ts'

/** Undefined for a request that came over no socket: a test's. */
export function arrivalOf(context: Context): Arrival | undefined {
  const bindings: Partial<HttpBindings> | undefined = context.env
  return bindings?.incoming
}
