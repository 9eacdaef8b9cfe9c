// The pages without a socket: requests go straight to the routes.
import type { Context } from 'hono'
import { getCookie, setCookie } from 'hono/cookie'
import { pino } from 'pino'
import type { Access } from '../../../../server/web/access.ts'
import { createApp } from '../../../../server/web/app.ts'
import { pageError } from '../../../../server/web/pages/failures.tsx'
import type { PageParts } from '../../../../server/web/pages/parts.ts'
import { pageRoutes } from '../../../../server/web/pages/routes.tsx'
import type { Route } from '../../../../server/web/route.ts'
import { exampleFleet, type FixtureFleet, viewsOf } from './fixtures.ts'

export const now = new Date('2026-11-23T03:12:00Z')
export const origin = 'http://plumb.example.org'
export const token = 'correct-operator-token'
export const session = { cookie: 'test-session=operator' }
export const installLine =
  "curl -fsSL https://plumb.example.org/install | $(sh -c 'command -v sudo') sh -s -- plumb_3n7Qe0ZkVx5Wb8Yt"

export type Dashboard = {
  readonly routes: readonly Route[]
  /** What reached the server around the pages. */
  readonly asked: string[]
  get(path: string, headers?: Record<string, string>): Promise<Response>
  html(path: string, headers?: Record<string, string>): Promise<string>
  /** A form of the dashboard itself, unless the headers say otherwise. */
  post(path: string, fields: Record<string, string>, headers?: Record<string, string>): Promise<Response>
}

/** What a test has otherwise than usual. */
export type Otherwise = Partial<Pick<PageParts, 'isNotified' | 'recordingProblem' | 'selfSigned' | 'sandboxes'>> &
  Partial<Pick<PageParts['enrollments'], 'hasAgent'>> & {
    /** May those read who are not the operator? */
    readonly mayRead?: boolean
    readonly publicUrl?: string
    readonly now?: () => Date
    readonly views?: Partial<PageParts['views']>
    readonly place?: PageParts['holds']['place']
    readonly release?: PageParts['holds']['release']
  }

export function dashboard(otherwise: Otherwise = {}, fixture: FixtureFleet = exampleFleet(now)): Dashboard {
  const asked: string[] = []
  const parts = partsOf(asked, otherwise, fixture)
  const routes = pageRoutes(parts)
  const app = createApp(routes, {
    ...parts,
    publicUrl: parts.statedUrl ?? new URL(origin),
    clientAddress: () => '192.0.2.1',
    answersOwnNamesOnly: false,
    hostOf: async () => undefined,
    pageError: pageError(parts),
  })
  const get = async (path: string, headers: Record<string, string> = {}) =>
    await app.request(`${origin}${path}`, { headers })
  return {
    ...{ routes, asked, get },
    html: async (path, headers) => await (await get(path, headers)).text(),
    post: async (path, fields, headers = {}) =>
      await app.request(`${origin}${path}`, {
        method: 'POST',
        body: new URLSearchParams(fields),
        headers: { origin, 'content-type': 'application/x-www-form-urlencoded', ...headers },
      }),
  }
}

function partsOf(
  asked: string[],
  otherwise: Otherwise,
  fixture: FixtureFleet,
): PageParts & { readonly access: Access } {
  const { mayRead = true, publicUrl, views, place, release, hasAgent, now: time = () => now, ...rest } = otherwise
  return {
    views: { ...viewsOf(() => fixture), ...views },
    access: accessOf(asked, mayRead),
    clock: { now: time },
    log: pino({ base: null, timestamp: false }, { write: (line) => void asked.push(line) }),
    loop: {
      async syncAll() {
        asked.push('sync')
        return { asked: 11, alreadyAsked: 0, connected: 11 }
      },
      async syncHost(host) {
        asked.push(`sync ${host}`)
        return host === 'edge-3' ? 'not-connected' : host === 'edge-2' ? 'already-asked' : 'asked'
      },
    },
    enrollments: {
      hasAgent: hasAgent ?? (async () => true),
      async create({ host }) {
        asked.push(`enroll ${host}`)
        return { token: 'plumb_token', installLine, expiresAt: new Date(now.getTime() + 30 * 60_000).toISOString() }
      },
    },
    holds: { place: place ?? placing(asked), release: release ?? releasing(asked) },
    recordingProblem: async () => undefined,
    isNotified: async () => true,
    selfSigned: false,
    sandboxes: new Map(),
    statedUrl: publicUrl === undefined ? undefined : new URL(publicUrl),
    ...rest,
  }
}

/** The operator's session is the cookie of `session`. */
function accessOf(asked: string[], mayRead: boolean): Access {
  const isOperator = async (c: Context) => getCookie(c, 'test-session') === 'operator'
  return {
    isOperator,
    mayRead: async (c) => mayRead || isOperator(c),
    maySync: isOperator,
    hasSession: (c) => getCookie(c, 'test-session') !== undefined,
    personOf: async () => undefined,
    async signIn(c, given) {
      if (given === token) setCookie(c, 'test-session', 'operator')
      return given === token
    },
    async signOut() {
      asked.push('sign out')
    },
  }
}

function placing(asked: string[]): PageParts['holds']['place'] {
  return async ({ service, hosts, for: seconds, why, by }) => {
    asked.push(`hold ${service} on ${hosts} for ${seconds} s as ${by}: ${why}`)
    const until = new Date(now.getTime() + seconds * 1000).toISOString()
    return { kind: 'placed', connected: 1, hold: { services: [service], by, why, until, hosts: [] } }
  }
}

function releasing(asked: string[]): PageParts['holds']['release'] {
  return async (id, host) => {
    asked.push(`release ${id} on ${host ?? 'all'}`)
    return true
  }
}

/** Every page that a reader can open on the example fleet. */
export const readablePaths = [
  '/',
  '/?state=drift',
  '/?q=web&cells=marks',
  '/hosts/web-2',
  '/hosts/db-2',
  '/hosts/mon-1',
  '/hosts/edge-3',
  '/hosts/edge-5',
  '/hosts/edge-6',
  '/hosts/build-1',
  '/services/nginx',
  '/hosts/web-2/drift?resource=file:/etc/nginx/nginx.conf',
  '/hosts/web-2/drift?resource=unit:nginx.service',
  '/why?path=/etc/nginx/nginx.conf',
  '/alerts',
  '/login',
] as const

/** The visible text of a page, for asserting sentences whatever the elements in between. */
export function textOf(html: string): string {
  return html
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll('&amp;', '&')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll(/\s+/g, ' ')
}
