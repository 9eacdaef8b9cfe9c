// GET: what the pages show, as JSON.
import { Hono } from 'hono'
import { compress } from 'hono/compress'
import { hostNameSchema, serviceNameSchema } from '../../../shared/names.ts'
import type { Views } from '../../show/views.ts'
import { notFound } from '../errors.ts'

export function readingRoutes(views: Views): Hono {
  const routes = new Hono()
  // Of a large fleet, megabytes. Nothing of a request is repeated in these, so that their length tells nothing of a secret.
  routes.on('GET', ['/fleet', '/hosts/:host', '/services/:service', '/holds', '/alerts'], compress())
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
