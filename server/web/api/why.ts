// GET /why: the commits behind paths and lines, and what happened to a path on a host.
import type { Context } from 'hono'
import { z } from 'zod'
import { hostNameSchema, revisionSchema } from '../../../shared/names.ts'
import { notFound, RefusedRequest } from '../errors.ts'
import type { WebParts } from '../parts.ts'
import { apiRoute, type Route } from '../route.ts'
import { pathsSchema } from './answers.ts'

const questionSchema = z
  .object({
    path: z.string().min(1).max(4200),
    host: hostNameSchema.optional(),
    revision: revisionSchema.optional(),
    line: z.coerce.number().int().positive().max(10_000_000).optional(),
    lines: z.literal('all').optional(),
  })
  .refine(({ line, lines }) => line === undefined || lines === undefined)

/**
 * A host can read the whole repository from the mirror: why a file is as it is, is no secret to it. What happened on
 * other hosts is.
 */
export function whyRoute({ views }: Pick<WebParts, 'views'>): Route {
  return apiRoute('GET', {
    path: '/api/v1/why',
    role: 'reader-or-host',
    answer: pathsSchema,
    async handler({ context, caller }) {
      const { path, host, revision, line, lines } = questionOf(context)
      const history = caller.kind === 'reader' || (caller.kind === 'host' && caller.host === host)
      const paths = await views.why(path, { host, history, revision, lines: line ?? lines })
      if (paths.length === 0) throw notFound(`managed path "${path}"${host === undefined ? '' : ` on ${host}`}`)
      return paths
    },
  })
}

function questionOf(context: Context): z.infer<typeof questionSchema> {
  const question = questionSchema.safeParse(context.req.query())
  if (question.success) return question.data
  const message = 'why needs ?path=PATH, and takes &host=NAME, &revision=COMMIT and &line=NUMBER or &lines=all.'
  throw new RefusedRequest({ status: 400, code: 'usage', message })
}
