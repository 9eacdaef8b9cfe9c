// A route as data: its address, who may use it, what it takes and what it answers. web/app.ts makes guards and handlers
// of these, so that access control and what is written about the API come from one table (routes.ts); `apiPost` and `form` validate bodies.
import type { Context } from 'hono'
import type { z } from 'zod'
import { jsonBody } from './body.ts'
import type { Caller, Role } from './roles.ts'

export type Method = 'GET' | 'POST' | 'DELETE' | 'ALL'

/** How refusals and errors look, and which headers bind browsers. `plain`: for programs that only fetch. */
export type Surface = 'api' | 'page' | 'plain' | 'git'

export type RouteBody =
  | { readonly kind: 'none' }
  | { readonly kind: 'json'; readonly schema: z.ZodType }
  /** Sent by a form of this very site. */
  | { readonly kind: 'form'; readonly schema: z.ZodType }
  /** Received by the handler itself, with limits of its own. */
  | { readonly kind: 'stream' }

export type RouteAnswer =
  | { readonly kind: 'json'; readonly status: 200 | 201; readonly schema: z.ZodType }
  | { readonly kind: 'page' | 'redirect' | 'events' | 'file' | 'not-found' }

export type Call = { readonly context: Context; readonly caller: Caller }

export type Route = {
  readonly method: Method
  readonly path: string
  readonly role: Role
  readonly surface: Surface
  readonly body: RouteBody
  readonly answer: RouteAnswer
  /** One address that tries again and again has to wait. */
  readonly attempts?: 'log-ins' | 'enrollments'
  /** Of a large fleet, megabytes. Not where a request is repeated beside a secret: its length would tell of that. */
  readonly compressed?: true
  /** Holds a secret: kept by nobody. */
  readonly secret?: true
  handler(call: Call): Response | Promise<Response>
}

type Address = Pick<Route, 'path' | 'role' | 'attempts' | 'compressed' | 'secret'>
type Answering<Answer> = Address & { readonly answer: z.ZodType<Answer> }

/** GET and DELETE of the API. */
export function apiRoute<Answer>(
  method: 'GET' | 'DELETE' | 'POST',
  { answer, handler, ...address }: Answering<Answer> & { handler(call: Call): Promise<Answer> },
): Route {
  return {
    ...address,
    ...{ method, surface: 'api', body: { kind: 'none' }, answer: { kind: 'json', status: 200, schema: answer } },
    handler: async (call) => call.context.json(await handler(call)),
  }
}

/** POST of the API, with a body. */
export function apiPost<Body, Answer>({
  body,
  answer,
  status = 200,
  handler,
  ...address
}: Answering<Answer> & {
  readonly body: z.ZodType<Body>
  readonly status?: 200 | 201
  handler(call: Call & { readonly body: Body }): Promise<Answer>
}): Route {
  return {
    ...address,
    ...{ method: 'POST', surface: 'api', body: { kind: 'json', schema: body } },
    answer: { kind: 'json', status, schema: answer },
    async handler(call) {
      return call.context.json(await handler({ ...call, body: await jsonBody(call.context, body) }), status)
    },
  }
}

export function page({
  handler,
  ...address
}: Address & { handler(context: Context): Response | Promise<Response> }): Route {
  const kinds = { method: 'GET', surface: 'page', body: { kind: 'none' }, answer: { kind: 'page' } } as const
  const compressed = address.secret === true ? {} : ({ compressed: true } as const)
  return { ...address, ...kinds, ...compressed, handler: ({ context }) => handler(context) }
}

/** What a form of a page sends. The schema takes whatever fields a form may lack, and never refuses. */
export function form<Fields>({
  fields,
  handler,
  ...address
}: Address & {
  readonly fields: z.ZodType<Fields>
  handler(context: Context, fields: Fields): Promise<Response>
}): Route {
  const kinds = { method: 'POST', surface: 'page', answer: { kind: 'redirect' }, compressed: true } as const
  return {
    ...address,
    ...kinds,
    body: { kind: 'form', schema: fields },
    handler: async ({ context }) => handler(context, fields.parse(await context.req.parseBody())),
  }
}
