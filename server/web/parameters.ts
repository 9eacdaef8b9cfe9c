// Names in the address of a request. What is no name is answered like a thing that there is not.
import type { Context } from 'hono'
import type { HostName } from '../../shared/names.ts'
import { hostNameSchema } from '../../shared/names.ts'
import { notFound } from './errors.ts'

/** `what`: how a host is called that there is not. */
export function hostParameter(context: Context, what: (name: string) => string): HostName {
  const name = context.req.param('host') ?? ''
  const host = hostNameSchema.safeParse(name)
  if (!host.success) throw notFound(what(name))
  return host.data
}
