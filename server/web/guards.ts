// What every request passes before its route: size, origin, the name it was addressed to, and headers that bind
// browsers.
import type { Context, MiddlewareHandler } from 'hono'
import { secureHeaders } from 'hono/secure-headers'
import { bounds } from '../allowance/bounds.ts'
import type { Rate } from '../allowance/rate.ts'
import { receive } from '../allowance/receive.ts'
import { createSlots } from '../allowance/slots.ts'
import { isLoopbackName, isOwnOrigin } from '../origin.ts'
import type { Access } from './access.ts'
import { answer, RefusedRequest } from './errors.ts'
import type { RouteBody } from './route.ts'

/**
 * Received whole before anything else is done for the request. Credentials are judged first: they decide how large it
 * may be.
 */
export function receiveBody({ personOf }: Pick<Access, 'personOf'>, shareOf: (context: Context) => string) {
  const shares = createSlots({ total: bounds.allBodyBytes.limit, each: bounds.bodyBytes.limit })
  const middleware: MiddlewareHandler = async (context, next) => {
    if (['GET', 'HEAD', 'OPTIONS'].includes(context.req.method)) return next()
    const person = await personOf(context)
    const limit = (person === undefined ? bounds.strangersBody : bounds.body).limit
    const received = await receive(context.req.raw, { limit, shares, owner: person ?? shareOf(context) })
    if (received.kind === 'too-large')
      return answer(context, { status: 413, code: 'too-large', message: `A request may be at most ${limit} bytes.` })
    if (received.kind === 'busy') {
      context.header('retry-after', '5')
      return answer(context, { status: 503, code: 'busy', message: 'Too many requests are being received.' })
    }
    if (received.kind === 'gone') return context.body(null, 400)
    context.req.raw = new Request(context.req.raw, { body: received.bytes })
    try {
      await next()
    } finally {
      received.release()
    }
    return
  }
  return middleware
}

/**
 * One address that tries again and again is told to wait; another is not. `counts`: the statuses of attempts that
 * count.
 */
export function limitRate(
  rate: Rate,
  { addressOf, counts }: { addressOf(context: Context): string; counts(status: number): boolean },
): MiddlewareHandler {
  return async (context, next) => {
    const address = addressOf(context)
    if (rate.take(address)) {
      await next()
      // Taken before, so that many at once do not pass.
      if (!counts(context.res.status)) rate.spend(address, -1)
      return
    }
    context.header('retry-after', '60')
    return answer(context, {
      status: 429,
      code: 'busy',
      message: 'Too many attempts came from this address. Try again in a minute.',
    })
  }
}

/** Answers of the API are data: nothing in them is to be run, framed or kept. */
export const dataHeaders: MiddlewareHandler = secureHeaders({
  contentSecurityPolicy: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
  // Whoever terminates TLS decides this one.
  strictTransportSecurity: false,
})

/** Scripts and styles only from files of this site; no frame, no foreign form target. */
export const pageHeaders: MiddlewareHandler = secureHeaders({
  contentSecurityPolicy: {
    defaultSrc: ["'self'"],
    baseUri: ["'none'"],
    objectSrc: ["'none'"],
    formAction: ["'self'"],
    frameAncestors: ["'none'"],
  },
  xFrameOptions: 'DENY',
  // A stricter policy would make browsers send `Origin: null` with our own forms.
  referrerPolicy: 'same-origin',
  // Whoever terminates TLS decides this one.
  strictTransportSecurity: false,
})

/** Pages may be shown again by the back button, never kept by a proxy. */
export const notKept: MiddlewareHandler = async (context, next) => {
  await next()
  if (!context.res.headers.has('cache-control')) context.header('cache-control', 'private, no-cache')
}

/** For a page that holds a secret. */
export const neverKept: MiddlewareHandler = async (context, next) => {
  await next()
  context.header('cache-control', 'no-store')
}

export const neverStored: MiddlewareHandler = async (context, next) => {
  await next()
  if (!context.res.headers.has('cache-control')) context.header('cache-control', 'no-store')
}

export type OwnOrigin = {
  readonly access: Pick<Access, 'hasSession'>
  readonly publicUrl: URL
  readonly body: RouteBody['kind']
}

/**
 * Another site in the operator's browser changes nothing here, whatever content type it sends and whatever cookie goes
 * along. A form comes from a browser in any case, so that it has to say where from.
 */
export function ownOriginOnly({ access, publicUrl, body }: OwnOrigin): MiddlewareHandler {
  return async (context, next) => {
    if (['GET', 'HEAD', 'OPTIONS'].includes(context.req.method)) return next()
    const origin = context.req.header('origin')
    const site = context.req.header('sec-fetch-site')
    const fromBrowser = body === 'form' || origin !== undefined || site !== undefined || access.hasSession(context)
    const host = context.req.header('host') ?? new URL(context.req.url).host
    const own = origin === undefined ? site === 'same-origin' : isOwnOrigin(origin, host, publicUrl)
    if (!fromBrowser || own) return next()
    throw new RefusedRequest({
      status: 403,
      code: 'not-allowed',
      message: 'The request came from another site, so nothing was changed.',
      remedy: 'If this server is reached under another name, start it with --public-url.',
    })
  }
}

/** A form of a page, and nothing else that a program could send instead. */
export const formsOnly: MiddlewareHandler = async (context, next) => {
  const type = context.req.header('content-type') ?? 'application/x-www-form-urlencoded'
  if (/^(application\/x-www-form-urlencoded|multipart\/form-data)\b/i.test(type)) return await next()
  return context.text('This address takes forms only.', 415)
}

/**
 * A server that shows itself to anyone on its machine must not be read through a name that another site points at
 * 127.0.0.1 (DNS rebinding), so only its own names are answered.
 */
export function ownNamesOnly(publicUrl: URL): MiddlewareHandler {
  return async (context, next) => {
    const name = new URL(context.req.url).hostname
    if (isLoopbackName(name) || name === publicUrl.hostname) return next()
    throw new RefusedRequest({
      status: 403,
      code: 'not-allowed',
      message: `This server is not known as ${name}.`,
      remedy: 'If that is its name, start it with --public-url.',
    })
  }
}
