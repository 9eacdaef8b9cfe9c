// The pages without a socket: requests go straight to the routes.
import { getCookie, setCookie } from 'hono/cookie'
import type { PageOptions } from '../../../../server/web/pages/options.ts'
import { pageRoutes } from '../../../../server/web/pages/routes.tsx'
import { exampleFleet, type FixtureFleet, viewsOf } from './fixtures.ts'

export const now = new Date('2026-11-23T03:12:00Z')
export const origin = 'http://plumb.example.org'
export const token = 'correct-operator-token'
export const session = { cookie: 'test-session=operator' }
export const installLine =
  "curl -fsSL https://plumb.example.org/install | $(sh -c 'command -v sudo') sh -s -- plumb_3n7Qe0ZkVx5Wb8Yt"

export type Dashboard = {
  readonly options: PageOptions
  /** What reached the server around the pages. */
  readonly asked: string[]
  get(path: string, headers?: Record<string, string>): Promise<Response>
  html(path: string, headers?: Record<string, string>): Promise<string>
  /** A form of the dashboard itself, unless the headers say otherwise. */
  post(path: string, fields: Record<string, string>, headers?: Record<string, string>): Promise<Response>
}

export function dashboard(change: Partial<PageOptions> = {}, fixture: FixtureFleet = exampleFleet(now)): Dashboard {
  const asked: string[] = []
  const options: PageOptions = {
    views: viewsOf(() => fixture),
    readAccess: () => true,
    operator: (c) => getCookie(c, 'test-session') === 'operator',
    signIn: (c, given) => {
      if (given === token) setCookie(c, 'test-session', 'operator')
      return given === token
    },
    signOut: () => {
      asked.push('sign out')
    },
    hasAgent: async () => true,
    createEnrolment: async (host) => {
      asked.push(`enrol ${host}`)
      return { installLine, expiresAt: new Date(now.getTime() + 30 * 60_000).toISOString() }
    },
    syncAll: async () => {
      asked.push('sync')
      return { asked: 11 }
    },
    syncHost: async (host) => {
      asked.push(`sync ${host}`)
      return host !== 'edge-3'
    },
    placeHold: async ({ service, hosts, for: seconds, why, by }) => {
      asked.push(`hold ${service} on ${hosts} for ${seconds} s as ${by}: ${why}`)
      const until = new Date(now.getTime() + seconds * 1000).toISOString()
      return { kind: 'placed', connected: 1, hold: { services: [service], by, why, until, hosts: [] } }
    },
    releaseHold: async (id, host) => {
      asked.push(`release ${id} on ${host ?? 'all'}`)
      return true
    },
    failed: (error, reference) => {
      asked.push(`failed ${reference} ${error}`)
    },
    recordingProblem: async () => undefined,
    recordingProblemOf: () => undefined,
    isNotified: async () => true,
    now: () => now,
    ...change,
  }
  const app = pageRoutes(options)
  const get = async (path: string, headers: Record<string, string> = {}) =>
    await app.request(`${origin}${path}`, { headers })
  return {
    options,
    asked,
    get,
    html: async (path, headers) => await (await get(path, headers)).text(),
    post: async (path, fields, headers = {}) =>
      await app.request(`${origin}${path}`, {
        method: 'POST',
        body: new URLSearchParams(fields),
        headers: { origin, 'content-type': 'application/x-www-form-urlencoded', ...headers },
      }),
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
