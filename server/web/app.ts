// The table of routes -> what answers HTTP. Each request passes the guards that its route's facts ask for, then the
// check of its role.
import { type Context, type ErrorHandler, Hono, type MiddlewareHandler } from 'hono'
import { compress } from 'hono/compress'
import type { Logger } from 'pino'
import { bounds } from '../allowance/bounds.ts'
import { createRate } from '../allowance/rate.ts'
import { type ClientAddress, shareOf } from '../client-address.ts'
import { unauthorized } from '../repository/mirror.ts'
import type { Access } from './access.ts'
import { addressOf } from './arrival.ts'
import { errorAnswer, RefusedRequest } from './errors.ts'
import {
  dataHeaders,
  formsOnly,
  limitRate,
  neverKept,
  neverStored,
  notKept,
  ownNamesOnly,
  ownOriginOnly,
  pageHeaders,
  receiveBody,
} from './guards.ts'
import { loginLink } from './pages/sign-in.ts'
import { createRoles, type RoleParts, roleRemedies } from './roles.ts'
import type { Route, Surface } from './route.ts'

export type AppParts = RoleParts & {
  readonly log: Logger
  readonly access: Access
  readonly publicUrl: URL
  readonly clientAddress: ClientAddress
  readonly answersOwnNamesOnly: boolean
  /** What a page becomes when it fails. */
  readonly pageError: ErrorHandler
}

/** Pages are last: one of them answers every GET left over. */
const surfaces: readonly Surface[] = ['plain', 'api', 'git', 'page']

export function createApp(routes: readonly Route[], parts: AppParts): Hono {
  const guards = createGuards(parts)
  const roles = createRoles(parts)
  const app = new Hono()
  app.onError(errorAnswer(parts.log))
  if (parts.answersOwnNamesOnly) app.use(ownNamesOnly(parts.publicUrl))
  for (const surface of surfaces) {
    const room = new Hono()
    room.onError(surface === 'page' ? parts.pageError : errorAnswer(parts.log))
    for (const route of routes.filter((one) => one.surface === surface)) {
      const answer = async (context: Context) => {
        const caller = await roles[route.role](context)
        return caller === undefined ? refused(route, context) : route.handler({ context, caller })
      }
      room.on([route.method], [route.path], ...guards.of(route), answer)
    }
    app.route('/', room)
  }
  app.use(...guards.ofNoRoute)
  return app
}

type Guards = {
  of(route: Route): readonly MiddlewareHandler[]
  /** What is sent to no address is received with the same limits. */
  readonly ofNoRoute: readonly MiddlewareHandler[]
}

function createGuards({ access, clientAddress, publicUrl }: AppParts): Guards {
  const shareOfClient = (context: Context) => shareOf(addressOf(context, clientAddress))
  const receiving = receiveBody(access, shareOfClient)
  const elapsed = () => performance.now()
  const attempts = {
    // What another site makes a browser send is refused before, and takes no attempts from its user.
    'log-ins': limitRate(createRate({ burst: bounds.logIns.limit, perSecond: 1 / 6 }, elapsed), {
      addressOf: shareOfClient,
      counts: (status) => status === 401,
    }),
    enrollments: limitRate(createRate({ burst: bounds.enrollments.limit, perSecond: 10 }, elapsed), {
      addressOf: shareOfClient,
      counts: () => true,
    }),
  }
  const ofNoRoute = [ownOriginOnly({ access, publicUrl, body: 'none' }), receiving]
  const of = (route: Route) => [
    ...headersOf(route),
    ...(route.compressed ? [compress()] : []),
    ...(route.method === 'GET' ? [] : [ownOriginOnly({ access, publicUrl, body: route.body.kind })]),
    ...(route.attempts === undefined ? [] : [attempts[route.attempts]]),
    ...(route.method === 'GET' || route.body.kind === 'stream' ? [] : [receiving]),
    ...(route.body.kind === 'form' ? [formsOnly] : []),
  ]
  return { of, ofNoRoute }
}

function headersOf({ surface, secret }: Route): readonly MiddlewareHandler[] {
  if (surface === 'api') return [neverStored, dataHeaders]
  if (surface === 'page') return [pageHeaders, secret ? neverKept : notKept]
  return []
}

/** The role is not proved. */
function refused({ surface, role }: Route, context: Context): Response {
  if (surface === 'page') return context.redirect(loginLink(context), role === 'reader' ? 302 : 303)
  if (surface === 'git') return unauthorized()
  const message = 'This needs a token of this server.'
  throw new RefusedRequest({ status: 401, code: 'not-allowed', message, remedy: roleRemedies[role] })
}
