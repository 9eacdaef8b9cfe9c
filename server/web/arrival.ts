// The request of node behind one of hono.
import type { HttpBindings } from '@hono/node-server'
import type { Context } from 'hono'
import type { Arrival, ClientAddress } from '../client-address.ts'

/** Undefined for a request that came over no socket: a test's. */
export function arrivalOf(context: Context): Arrival | undefined {
  const bindings: Partial<HttpBindings> | undefined = context.env
  return bindings?.incoming
}

/** Of the client, behind proxies. */
export function addressOf(context: Context, clientAddress: ClientAddress): string {
  const arrival = arrivalOf(context)
  return arrival === undefined ? 'an unknown address' : clientAddress(arrival)
}
