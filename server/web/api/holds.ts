// Holds over HTTP: placed and released by the operator. Reading them is reading.ts's.
import { compact } from '../../../shared/compact.ts'
import { holdRequestSchema } from '../../../shared/hold.ts'
import type { HostName } from '../../../shared/names.ts'
import { serverHoldsLimit } from '../../../shared/protocol.ts'
import type { Placed } from '../../app/holds.ts'
import { notFound, RefusedRequest } from '../errors.ts'
import { hostParameter } from '../parameters.ts'
import type { WebParts } from '../parts.ts'
import { apiPost, apiRoute, type Route } from '../route.ts'
import { placedHoldSchema, releasedHoldSchema } from './answers.ts'

export function holdRoutes({ holds }: Pick<WebParts, 'holds'>): readonly Route[] {
  return [
    apiPost({
      path: '/api/v1/holds',
      role: 'operator',
      body: holdRequestSchema,
      answer: placedHoldSchema,
      status: 201,
      handler: async ({ body }) => placedHold(await holds.place(body)),
    }),
    apiRoute('DELETE', {
      path: '/api/v1/holds/:id',
      role: 'operator',
      answer: releasedHoldSchema,
      handler: ({ context }) => released(context.req.param('id') ?? ''),
    }),
    apiRoute('DELETE', {
      path: '/api/v1/holds/:id/hosts/:host',
      role: 'operator',
      answer: releasedHoldSchema,
      async handler({ context }) {
        const host = hostParameter(context, (name) => `host "${name}"`)
        return released(context.req.param('id') ?? '', host)
      },
    }),
  ]

  async function released(id: string, host?: HostName) {
    if (await holds.release(id, host)) return { id, ...compact({ host }) }
    throw notFound(`hold "${id}" in force${host === undefined ? '' : ` on ${host}`}`)
  }
}

function placedHold(placed: Placed) {
  switch (placed.kind) {
    case 'placed':
      return { hold: placed.hold, connected: placed.connected }
    case 'no-host':
      throw new RefusedRequest({ status: 400, code: 'usage', message: placed.message, remedy: placed.remedy })
    case 'too-many':
      throw new RefusedRequest({
        status: 409,
        code: 'conflict',
        message: `There are ${serverHoldsLimit} holds already.`,
        remedy: 'Release some, or hold more hosts by one pattern.',
      })
  }
}
