// GET: what the pages show, as JSON.
import { serviceNameSchema } from '../../../shared/names.ts'
import { notFound } from '../errors.ts'
import { hostParameter } from '../parameters.ts'
import type { WebParts } from '../parts.ts'
import { apiRoute, type Route } from '../route.ts'
import { alertsSchema, fleetSchema, holdsSchema, hostSchema, serviceSchema } from './answers.ts'

export function readingRoutes({ views }: Pick<WebParts, 'views'>): readonly Route[] {
  const reading = { role: 'reader', compressed: true } as const
  return [
    apiRoute('GET', { path: '/api/v1/fleet', ...reading, answer: fleetSchema, handler: () => views.fleet() }),
    apiRoute('GET', {
      path: '/api/v1/hosts/:host',
      ...reading,
      answer: hostSchema,
      async handler({ context }) {
        const host = hostParameter(context, unknownHost)
        const view = await views.host(host)
        if (view === undefined) throw notFound(unknownHost(host))
        return view
      },
    }),
    apiRoute('GET', {
      path: '/api/v1/services/:service',
      ...reading,
      answer: serviceSchema,
      async handler({ context }) {
        const name = context.req.param('service') ?? ''
        const service = serviceNameSchema.safeParse(name)
        const view = service.success ? await views.service(service.data) : undefined
        if (view === undefined) throw notFound(`service "${name}"`)
        return view
      },
    }),
    apiRoute('GET', { path: '/api/v1/holds', ...reading, answer: holdsSchema, handler: () => views.holds() }),
    apiRoute('GET', { path: '/api/v1/alerts', ...reading, answer: alertsSchema, handler: () => views.alerts() }),
  ]
}

export function unknownHost(name: string): string {
  return `host "${name}" in the repository, nor did one enroll`
}
