// The dashboard on fixtures, on a loopback port: for the browser tests, and to look at: `npx tsx test/browser/fixture-server.ts 8099`.
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import { type Context, Hono } from 'hono'
import { deleteCookie, getCookie, setCookie } from 'hono/cookie'
import { streamSSE } from 'hono/streaming'
import { pino } from 'pino'
import type { Access } from '../../server/web/access.ts'
import { createApp } from '../../server/web/app.ts'
import { pageError } from '../../server/web/pages/failures.tsx'
import type { PageParts } from '../../server/web/pages/parts.ts'
import { pageRoutes } from '../../server/web/pages/routes.tsx'
import { emptyFleet, exampleFleet, type FixtureFleet, largeFleet, viewsOf } from '../server/web/pages/fixtures.ts'

export const operatorToken = 'fixture-operator-token'

export type FixtureServer = {
  readonly url: string
  /** What the pages show from now on. */
  show(fixture: FixtureFleet): void
  /** Tells every open page that something changed. */
  announce(): Promise<void>
  /** Resolves when at least one page listens for changes. */
  listened(): Promise<void>
  /** How often `POST /sync` got through. */
  synced(): number
  close(): Promise<void>
}

export async function startFixtureServer(first: FixtureFleet, port = 0): Promise<FixtureServer> {
  let shown = first
  let syncs = 0
  const listeners = new Set<() => Promise<void>>()
  let firstListener = Promise.withResolvers<void>()
  const app = new Hono()
  app.get('/api/v1/events', (c) =>
    streamSSE(c, async (stream) => {
      const closed = Promise.withResolvers<void>()
      const tell = () => stream.writeSSE({ event: 'changed', data: '{}' })
      stream.onAbort(() => closed.resolve())
      listeners.add(tell)
      firstListener.resolve()
      await closed.promise
      listeners.delete(tell)
    }),
  )
  const parts = partsOf(
    () => shown,
    () => {
      syncs += 1
    },
  )
  const pages = createApp(pageRoutes(parts), {
    ...parts,
    publicUrl: new URL('http://127.0.0.1'),
    clientAddress: () => '127.0.0.1',
    answersOwnNamesOnly: false,
    hostOf: async () => undefined,
    pageError: pageError(parts),
  })
  app.route('/', pages)

  const started = Promise.withResolvers<AddressInfo>()
  const server = serve({ fetch: app.fetch, port, hostname: '127.0.0.1' }, started.resolve)
  const address = await started.promise
  return {
    url: `http://127.0.0.1:${address.port}`,
    show: (fixture) => {
      shown = fixture
    },
    announce: async () => {
      await Promise.all([...listeners].map((tell) => tell()))
    },
    listened: async () => {
      if (listeners.size > 0) return
      firstListener = Promise.withResolvers<void>()
      await firstListener.promise
    },
    synced: () => syncs,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        if ('closeAllConnections' in server) server.closeAllConnections()
      }),
  }
}

function partsOf(shown: () => FixtureFleet, synced: () => void): PageParts & { readonly access: Access } {
  const isOperator = async (c: Context) => getCookie(c, 'fixture-session') === 'operator'
  return {
    views: viewsOf(shown),
    access: {
      isOperator,
      mayRead: async () => true,
      maySync: isOperator,
      personOf: async () => undefined,
      hasSession: (c) => getCookie(c, 'fixture-session') !== undefined,
      async signIn(c, token) {
        if (token !== operatorToken) return false
        setCookie(c, 'fixture-session', 'operator', { httpOnly: true, sameSite: 'Strict', path: '/' })
        return true
      },
      signOut: async (c) => void deleteCookie(c, 'fixture-session', { path: '/' }),
    },
    clock: { now: () => new Date() },
    log: pino({ level: 'error' }, pino.destination(2)),
    loop: {
      async syncAll() {
        synced()
        const asked = shown().fleet.hosts.filter((row) => row.connected).length
        return { asked, alreadyAsked: 0, connected: asked }
      },
      async syncHost() {
        synced()
        return 'asked'
      },
    },
    enrollments: {
      hasAgent: async () => true,
      create: async ({ host }) => ({
        token: 'plumb_3n7Qe0ZkVx5Wb8Yt',
        installLine: `curl -fsSL --pinnedpubkey 'sha256//9x2kQw=' http://10.77.0.1:8099/install | $(sh -c 'command -v sudo') sh -s -- plumb_${host ?? 'any'}_3n7Qe0ZkVx5Wb8Yt`,
        expiresAt: new Date(Date.now() + 30 * 60_000).toISOString(),
      }),
    },
    holds: { place: async () => ({ kind: 'too-many' }), release: async () => false },
    recordingProblem: async () => undefined,
    isNotified: async () => true,
    selfSigned: false,
    sandboxes: new Map(),
    statedUrl: undefined,
  }
}

if (import.meta.main) {
  const fleets = { example: exampleFleet, large: (now: Date) => largeFleet(now, 200, 30), empty: emptyFleet } as const
  const name = process.argv[3] === 'large' ? 'large' : process.argv[3] === 'empty' ? 'empty' : 'example'
  const server = await startFixtureServer(fleets[name](new Date()), Number(process.argv[2] ?? 8099))
  console.log(`${server.url} shows the ${name} fleet; the operator token is ${operatorToken}`)
}
