// GET: what drifted on a host, with diffs and evidence, for programs that carry it further: `plumb adopt` from the operator's machine.
import { type Context, Hono } from 'hono'
import type { Finding } from '../../shared/finding.ts'
import { hostNameSchema, parseResourceId } from '../../shared/names.ts'
import type { Views } from '../show/views.ts'
import { notFound, RefusedRequest } from './errors.ts'

/** Of all of them, or of those of one service, one resource, or at and below one path. */
export function findingRoutes(views: Pick<Views, 'host'>): Hono {
  const routes = new Hono()
  routes.get('/hosts/:host/findings', async (context) => {
    const name = context.req.param('host')
    const host = hostNameSchema.safeParse(name)
    const isAsked = filterOf(context)
    const view = host.success ? await views.host(host.data) : undefined
    if (view === undefined) throw notFound(`host "${name}" in the repository, nor did one enrol`)
    const services = view.services.map(({ service, applied, hold, findings, waysOut }) => ({
      service,
      ...(applied === undefined ? {} : { applied }),
      held: hold !== undefined,
      ...(hold === undefined ? {} : { hold }),
      waysOut,
      findings: findings.filter((finding) => isAsked(service, finding)),
    }))
    return context.json({
      host: view.host,
      ...(view.revision === undefined ? {} : { revision: view.revision }),
      services: services.filter(({ findings }) => findings.length > 0),
    })
  })
  return routes
}

type Filter = (service: string, finding: Finding) => boolean

function filterOf(context: Context): Filter {
  const { service, resource, path } = context.req.query()
  const given = [service, resource, path].filter((one) => one !== undefined)
  if (given.length > 1 || given.includes(''))
    throw new RefusedRequest({
      status: 400,
      code: 'usage',
      message: 'findings takes one of ?service=NAME, ?resource=KIND:NAME and ?path=PATH.',
    })
  if (service !== undefined) return (of) => of === service
  if (resource !== undefined) return (_, finding) => finding.resource === resource
  if (path === undefined) return () => true
  return (_, finding) => {
    // Only what is a path is named by one.
    const { name } = parseResourceId(finding.resource)
    return name.startsWith('/') && (name === path || name.startsWith(`${path}/`))
  }
}
