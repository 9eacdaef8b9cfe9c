// GET: what the pages show, as JSON.
import { type Handler, Hono } from 'hono'
import { z } from 'zod'
import { hostNameSchema, revisionSchema, serviceNameSchema } from '../../shared/names.ts'
import type { Views } from '../show/views.ts'
import { notFound, RefusedRequest } from './errors.ts'

export function readingRoutes(views: Views): Hono {
  const routes = new Hono()
  routes.get('/fleet', async (context) => context.json(await views.fleet()))
  routes.get('/hosts/:host', async (context) => {
    const name = context.req.param('host')
    const host = hostNameSchema.safeParse(name)
    const view = host.success ? await views.host(host.data) : undefined
    if (view === undefined) throw notFound(`host "${name}" in the repository, nor did one enrol`)
    return context.json(view)
  })
  routes.get('/services/:service', async (context) => {
    const name = context.req.param('service')
    const service = serviceNameSchema.safeParse(name)
    const view = service.success ? await views.service(service.data) : undefined
    if (view === undefined) throw notFound(`service "${name}"`)
    return context.json(view)
  })
  routes.get('/holds', async (context) => context.json(await views.holds()))
  routes.get('/alerts', async (context) => context.json(await views.alerts()))
  return routes
}

const whySchema = z
  .object({
    path: z.string().min(1).max(4200),
    host: hostNameSchema.optional(),
    revision: revisionSchema.optional(),
    line: z.coerce.number().int().positive().max(10_000_000).optional(),
    lines: z.literal('all').optional(),
  })
  .refine(({ line, lines }) => line === undefined || lines === undefined)

export function whyRoute(views: Views): Handler {
  return async (context) => {
    const asked = whySchema.safeParse(context.req.query())
    if (!asked.success) {
      const message = 'why needs ?path=PATH, and takes &host=NAME, &revision=COMMIT and &line=NUMBER or &lines=all.'
      throw new RefusedRequest({ status: 400, code: 'usage', message })
    }
    const { path, host, revision, line, lines } = asked.data
    const paths = await views.why(path, { host, revision, lines: line ?? lines })
    if (paths.length === 0) throw notFound(`managed path "${path}"${host === undefined ? '' : ` on ${host}`}`)
    return context.json(paths)
  }
}
