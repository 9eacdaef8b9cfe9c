// The way to the sign-in page and back, and whether a browser would keep a session at the address it asked for.
import type { Context } from 'hono'
import { isLoopbackName } from '../../origin.ts'

type Reached = {
  /** As the operator gave it; undefined: what a browser asked for is how it reaches this server. */
  readonly statedUrl: URL | undefined
}

/** A path of this site; anything else leads to the fleet page. `//host` and `/\host` are other sites to a browser. */
export function safeNext(next: string | undefined): string {
  return next !== undefined && /^\/(?![/\\])[^\\\p{Cc}]*$/u.test(next) ? next : '/'
}

export function isPlainHttp(parts: Reached, c: Context): boolean {
  const { protocol, hostname } = publicUrlOf(parts, c)
  return protocol === 'http:' && !/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname)
}

export function publicUrlOf(parts: Reached, c: Context): URL {
  return parts.statedUrl ?? new URL(c.req.url)
}

function hostOf(c: Context): string {
  return c.req.header('host') ?? new URL(c.req.url).host
}

/** Leads back to the page that was asked for, or to the one whose form was sent: the form itself is not sent again. */
export function loginLink(c: Context): string {
  const isForm = c.req.method !== 'GET'
  const page = URL.parse(isForm ? (c.req.header('referer') ?? '') : c.req.url)
  const next = page === null ? '/' : page.pathname + page.search
  return `/login?required=1${isForm ? '&undone=1' : ''}&next=${encodeURIComponent(next)}`
}

/**
 * Where to sign in instead: a session is kept by browsers for https alone, once that is the public address. Undefined:
 * here. Behind a proxy every request comes by http; browsers say `sec-fetch-mode` only where they themselves use https,
 * or stay on the machine.
 */
export function signInElsewhere(parts: Reached, c: Context): string | undefined {
  const publicUrl = publicUrlOf(parts, c)
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
