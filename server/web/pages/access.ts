// Who may see and do what on the pages, and the headers that keep other sites out.
import type { Context, MiddlewareHandler } from 'hono'
import { every } from 'hono/combine'
import { csrf } from 'hono/csrf'
import { secureHeaders } from 'hono/secure-headers'
import { isLoopbackName, isOwnOrigin } from '../../origin.ts'
import type { PageOptions } from './options.ts'

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
export const notKept: MiddlewareHandler = async (c, next) => {
  await next()
  if (!c.res.headers.has('cache-control')) c.header('cache-control', 'private, no-cache')
}

/** For a page that holds a secret. */
export const neverKept: MiddlewareHandler = async (c, next) => {
  await next()
  c.header('cache-control', 'no-store')
}

export function readersOnly(options: PageOptions): MiddlewareHandler {
  return async (c, next) => {
    if ((await options.readAccess(c)) || (await options.operator(c))) return await next()
    return c.redirect(loginLink(c))
  }
}

export function operatorOnly(options: PageOptions): MiddlewareHandler {
  return async (c, next) => {
    if (await options.operator(c)) return await next()
    return c.redirect(loginLink(c), 303)
  }
}

/** Every state change: a form of this very site, whatever content type it claims. */
export function ownFormsOnly(options: PageOptions): MiddlewareHandler {
  const sameSite = csrf({ origin: (origin, c) => isOwnOrigin(origin, hostOf(c), publicUrlOf(options, c)) })
  return every(sameSite, formsOnly)
}

/** hono's csrf() lets other content types pass unchecked, because a cross-site form cannot send them. */
const formsOnly: MiddlewareHandler = async (c, next) => {
  const type = c.req.header('content-type') ?? 'application/x-www-form-urlencoded'
  if (/^(application\/x-www-form-urlencoded|multipart\/form-data)\b/i.test(type)) return await next()
  return c.text('This address takes forms only.', 415)
}

/** A path of this site; anything else leads to the fleet page. `//host` and `/\host` are other sites to a browser. */
export function safeNext(next: string | undefined): string {
  return next !== undefined && /^\/(?![/\\])[^\\\p{Cc}]*$/u.test(next) ? next : '/'
}

export function isPlainHttp(options: PageOptions, c: Context): boolean {
  const { protocol, hostname } = publicUrlOf(options, c)
  return protocol === 'http:' && !/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname)
}

export function publicUrlOf(options: PageOptions, c: Context): URL {
  return new URL(options.publicUrl ?? c.req.url)
}

function hostOf(c: Context): string {
  return c.req.header('host') ?? new URL(c.req.url).host
}

/** Leads back to the page that was asked for, or to the one whose form was sent: the form itself is not sent again. */
function loginLink(c: Context): string {
  const isForm = c.req.method !== 'GET'
  const page = URL.parse(isForm ? (c.req.header('referer') ?? '') : c.req.url)
  const next = page === null ? '/' : page.pathname + page.search
  return `/login?required=1${isForm ? '&undone=1' : ''}&next=${encodeURIComponent(next)}`
}

/**
 * Where to sign in instead: a session is kept by browsers for https alone, once that is the public address. Undefined: here. Behind a
 * proxy every request comes by http; browsers say `sec-fetch-mode` only where they themselves use https, or stay on the machine.
 */
export function signInElsewhere(options: PageOptions, c: Context): string | undefined {
  const publicUrl = publicUrlOf(options, c)
  const origin = URL.parse(c.req.header('origin') ?? '')
  const host = hostOf(c)
  const isHere =
    publicUrl.protocol !== 'https:' ||
    isLoopbackName(URL.parse(`http://${host}`)?.hostname ?? '') ||
    (origin === null
      ? host === publicUrl.host || c.req.header('sec-fetch-mode') !== undefined
      : origin.protocol === 'https:')
  return isHere ? undefined : new URL('/login', publicUrl).href
}
