// GET /why: the commits behind paths and lines, and what happened to a path on a host.
import type { Context, Handler } from 'hono'
import { z } from 'zod'
import { type HostName, hostNameSchema, revisionSchema } from '../../../shared/names.ts'
import type { Views } from '../../show/views.ts'
import { notAllowed } from '../access.ts'
import { notFound, RefusedRequest } from '../errors.ts'

export type WhyRouteParts = {
  readonly views: Pick<Views, 'why'>
  mayRead(context: Context): Promise<boolean>
  /** The enrolled host by whose key the request is signed. */
  hostOf(request: Request): Promise<HostName | undefined>
  /** How a reader shows that it is one. */
  readonly signIn: string
}

const questionSchema = z
  .object({
    path: z.string().min(1).max(4200),
    host: hostNameSchema.optional(),
    revision: revisionSchema.optional(),
    line: z.coerce.number().int().positive().max(10_000_000).optional(),
    lines: z.literal('all').optional(),
  })
  .refine(({ line, lines }) => line === undefined || lines === undefined)

export function whyRoute({ views, mayRead, hostOf, signIn }: WhyRouteParts): Handler {
  return async (context) => {
    const isReader = await mayRead(context)
    // A host can read the whole repository from the mirror: why a file is as it is, is no secret to it. What happened on other
    // hosts is.
    const asker = isReader ? undefined : await hostOf(context.req.raw)
    if (!isReader && asker === undefined) throw notAllowed(signIn)
    const { path, host, revision, line, lines } = questionOf(context)
    const history = isReader || asker === host
    const paths = await views.why(path, { host, history, revision, lines: line ?? lines })
    if (paths.length === 0) throw notFound(`managed path "${path}"${host === undefined ? '' : ` on ${host}`}`)
    return context.json(paths)
  }
}

function questionOf(context: Context): z.infer<typeof questionSchema> {
  const question = questionSchema.safeParse(context.req.query())
  if (question.success) return question.data
  const message = 'why needs ?path=PATH, and takes &host=NAME, &revision=COMMIT and &line=NUMBER or &lines=all.'
  throw new RefusedRequest({ status: 400, code: 'usage', message })
}
