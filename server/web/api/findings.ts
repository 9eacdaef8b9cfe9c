// GET: what drifted on a host, with diffs and evidence, for programs that carry it further: `plumb adopt` from the
// operator's machine.

import type { Context } from 'hono'
import { compact } from '../../../shared/compact.ts'
import type { Finding } from '../../../shared/finding.ts'
import { parseResourceId } from '../../../shared/names.ts'
import { notFound, RefusedRequest } from '../errors.ts'
import { hostParameter } from '../parameters.ts'
import type { WebParts } from '../parts.ts'
import { apiRoute, type Route } from '../route.ts'
import { findingsSchema } from './answers.ts'
import { unknownHost } from './reading.ts'

/** Of all of them, or of those of one service, one resource, or at and below one path. */
export function findingRoutes({ views }: Pick<WebParts, 'views'>): readonly Route[] {
  return [
    apiRoute('GET', {
      path: '/api/v1/hosts/:host/findings',
      role: 'reader',
      answer: findingsSchema,
      async handler({ context }) {
        const isAsked = filterOf(context)
        const host = hostParameter(context, unknownHost)
        const view = await views.host(host)
        if (view === undefined) throw notFound(unknownHost(host))
        const services = view.services.map(({ service, applied, hold, findings, waysOut }) => ({
          service,
          ...compact({ applied }),
          held: hold !== undefined,
          ...compact({ hold }),
          waysOut,
          findings: findings.filter((finding) => isAsked(service, finding)),
        }))
        return {
          host: view.host,
          ...compact({ revision: view.revision }),
          services: services.filter(({ findings }) => findings.length > 0),
        }
      },
    }),
  ]
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
