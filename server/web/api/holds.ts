// Holds over HTTP: placed and released by the operator. Reading them is reading.ts's.
import { Hono, type MiddlewareHandler } from 'hono'
import { holdRequestSchema } from '../../../shared/hold.ts'
import { type HostName, hostNameSchema } from '../../../shared/names.ts'
import { serverHoldsLimit } from '../../../shared/protocol.ts'
import type { Holds } from '../../app/holds.ts'
import { jsonBody } from '../body.ts'
import { notFound, RefusedRequest } from '../errors.ts'

export function holdRoutes(holds: Pick<Holds, 'place' | 'release'>, operatorOnly: MiddlewareHandler): Hono {
  const routes = new Hono()
  routes.post('/holds', operatorOnly, async (context) => {
    const placed = await holds.place(await jsonBody(context, holdRequestSchema))
    switch (placed.kind) {
      case 'placed':
        return context.json({ hold: placed.hold, connected: placed.connected }, 201)
      case 'nobody':
        throw new RefusedRequest({ status: 400, code: 'usage', message: placed.message, remedy: placed.remedy })
      case 'too-many':
        throw new RefusedRequest({
          status: 409,
          code: 'conflict',
          message: `There are ${serverHoldsLimit} holds already.`,
          remedy: 'Release some, or hold more hosts by one pattern.',
        })
    }
  })
  routes.delete('/holds/:id', operatorOnly, async (context) => context.json(await released(context.req.param('id'))))
  routes.delete('/holds/:id/hosts/:host', operatorOnly, async (context) => {
    const name = context.req.param('host')
    const host = hostNameSchema.safeParse(name)
    if (!host.success) throw notFound(`host "${name}"`)
    return context.json(await released(context.req.param('id'), host.data))
  })
  return routes

  async function released(id: string, host?: HostName) {
    if (await holds.release(id, host)) return { id, ...(host === undefined ? {} : { host }) }
    throw notFound(`hold "${id}" in force${host === undefined ? '' : ` on ${host}`}`)
  }
}
