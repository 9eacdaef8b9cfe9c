// Everything the server answers over HTTP, by noun: the API, what bare hosts fetch, the repository mirror, and last the pages.
import { getConnInfo } from '@hono/node-server/conninfo'
import { type Context, Hono } from 'hono'
import type { Logger } from 'pino'
import type { HostName } from '../../shared/names.ts'
import type { Holds } from '../holds.ts'
import type { SyncAnswer } from '../loop.ts'
import type { Changes } from '../show/changes.ts'
import type { Views } from '../show/views.ts'
import { type Access, allowed } from './access.ts'
import { type AgentParts, agentRoutes } from './agents.ts'
import { answer, errorAnswer } from './errors.ts'
import { eventRoutes } from './events.ts'
import { findingRoutes } from './findings.ts'
import { dataHeaders, limitBody, neverStored, ownNamesOnly, ownOriginOnly } from './guards.ts'
import { holdRoutes } from './holds.ts'
import { type InstallParts, installRoutes } from './install.ts'
import { readingRoutes } from './reading.ts'
import { whyRoute } from './why.ts'

export type RouteParts = Omit<AgentParts, 'operatorOnly' | 'addressOf'> &
  InstallParts & {
    readonly log: Logger
    readonly access: Access
    readonly views: Views
    readonly changes: Changes
    /** Ends open event streams. */
    readonly closing: AbortSignal
    /** Anyone on this machine may read, so that other names for it are refused. */
    readonly answersOwnNamesOnly: boolean
    syncAll(): Promise<SyncAnswer>
    readonly holds: Pick<Holds, 'place' | 'release'>
    /** The enrolled host by whose key the request is signed. */
    hostOf(request: Request): Promise<HostName | undefined>
    /** Rejects when the database does not answer. */
    checkHealth(): Promise<void>
    readonly mirror: Hono
    readonly pages: Hono
  }

export function serverRoutes(parts: RouteParts): Hono {
  const { access, publicUrl } = parts
  const signIn = 'Authorization: Bearer OPERATOR-TOKEN, or sign in at /login.'
  const readers = allowed(access.mayRead, signIn)
  const operatorOnly = allowed(
    access.isOperator,
    'The operator token is in the file operator-token of the data directory.',
  )
  const syncersOnly = allowed(access.maySync, 'Use the sync token or the operator token of the data directory.')

  const api = new Hono()
  api.use(neverStored, dataHeaders, limitBody)
  api.route('/', agentRoutes({ ...parts, operatorOnly, addressOf }))
  api.post('/sync', syncersOnly, async (context) => context.json(await parts.syncAll()))
  api.get('/why', whyRoute({ views: parts.views, mayRead: access.mayRead, hostOf: parts.hostOf, signIn }))
  api.route('/', holdRoutes(parts.holds, operatorOnly))
  api.use(readers)
  api.route('/', eventRoutes(parts.changes, parts.closing))
  api.route('/', readingRoutes(parts.views))
  api.route('/', findingRoutes(parts.views))
  api.all('*', (context) =>
    answer(context, { status: 404, code: 'not-found', message: 'The API has no such address.' }),
  )

  const app = new Hono()
  if (parts.answersOwnNamesOnly) app.use(ownNamesOnly(publicUrl))
  app.use('*', ownOriginOnly(access, publicUrl))
  app.get('/healthz', async (context) => {
    await parts.checkHealth()
    return context.json({ ok: true, version: parts.version })
  })
  app.route('/api/v1', api)
  app.route('/', installRoutes(parts))
  app.route('/', parts.mirror)
  app.use(limitBody)
  app.route('/', parts.pages)
  app.onError(errorAnswer(parts.log))
  return app
}

function addressOf(context: Context): string {
  try {
    return getConnInfo(context).remote.address ?? 'an unknown address'
  } catch {
    // A request that came over no socket: a test's.
    return 'an unknown address'
  }
}
