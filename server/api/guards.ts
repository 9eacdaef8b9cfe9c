// What every request passes before its route: size, origin, the name it was addressed to, and headers that bind browsers.
import type { MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { secureHeaders } from 'hono/secure-headers'
import { isOwnOrigin } from '../origin.ts'
import type { Access } from './access.ts'
import { answer, RefusedRequest } from './errors.ts'

export const bodyLimitBytes = 1024 * 1024

export const limitBody: MiddlewareHandler = bodyLimit({
  maxSize: bodyLimitBytes,
  onError: (context) =>
    answer(context, { status: 413, code: 'too-large', message: `A request may be at most ${bodyLimitBytes} bytes.` }),
})

/** Answers of the API are data: nothing in them is to be run, framed or kept. */
export const dataHeaders: MiddlewareHandler = secureHeaders({
  contentSecurityPolicy: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
  // Whoever terminates TLS decides this one.
  strictTransportSecurity: false,
})

export const neverStored: MiddlewareHandler = async (context, next) => {
  await next()
  if (!context.res.headers.has('cache-control')) context.header('cache-control', 'no-store')
}

/** Another site in the operator's browser changes nothing here, whatever content type it sends and whatever cookie goes along. */
export function ownOriginOnly(access: Access, publicUrl: URL): MiddlewareHandler {
  return async (context, next) => {
    if (['GET', 'HEAD', 'OPTIONS'].includes(context.req.method)) return next()
    const origin = context.req.header('origin')
    const site = context.req.header('sec-fetch-site')
    const fromBrowser = origin !== undefined || site !== undefined || access.hasSession(context)
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

/**
 * A server that shows itself to anyone on its machine must not be read through a name that another site points at 127.0.0.1
 * (DNS rebinding), so only its own names are answered.
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

export function isLoopbackName(name: string): boolean {
  return name === 'localhost' || name === '[::1]' || name === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name)
}
