// Everything the server answers over HTTP, by noun: the API, what bare hosts fetch, the repository mirror, and last the pages.
import { type Context, Hono } from 'hono'
import type { Logger } from 'pino'
import { type HostName, hostNameSchema } from '../../shared/names.ts'
import { bounds } from '../allowance/bounds.ts'
import { createRate } from '../allowance/rate.ts'
import type { Holds } from '../app/holds.ts'
import type { SyncAnswer } from '../app/loop.ts'
import { type ClientAddress, shareOf } from '../client-address.ts'
import type { Changes } from '../show/changes.ts'
import type { Views } from '../show/views.ts'
import type { RecordingProblem } from '../store/recording.ts'
import { type Access, allowed } from './access.ts'
import { type AgentParts, agentRoutes } from './api/agents.ts'
import { eventRoutes } from './api/events.ts'
import { findingRoutes } from './api/findings.ts'
import { holdRoutes } from './api/holds.ts'
import { readingRoutes } from './api/reading.ts'
import { whyRoute } from './api/why.ts'
import { arrivalOf } from './arrival.ts'
import { answer, errorAnswer, notFound } from './errors.ts'
import { dataHeaders, limitRate, neverStored, ownNamesOnly, ownOriginOnly, receiveBody } from './guards.ts'
import { type InstallParts, installRoutes } from './install/install.ts'

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
    /** False: it is not connected. */
    syncHost(host: HostName): Promise<boolean>
    readonly holds: Pick<Holds, 'place' | 'release'>
    /** The enrolled host by whose key the request is signed. */
    hostOf(request: Request): Promise<HostName | undefined>
    /** Why nothing can be recorded. */
    recordingProblem(): Promise<RecordingProblem | undefined>
    /** Of the client, behind proxies. */
    readonly clientAddress: ClientAddress
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

  const addressOf = addressBy(parts.clientAddress)
  const shareOfClient = (context: Context) => shareOf(addressOf(context))
  const readerOf = async (context: Context) => (await access.personOf(context)) ?? shareOfClient(context)
  const receiving = receiveBody(access, shareOfClient)
  const elapsed = () => performance.now()
  const logIns = createRate({ burst: bounds.logIns.limit, perSecond: 1 / 6 }, elapsed)
  const enrollments = createRate({ burst: bounds.enrollments.limit, perSecond: 10 }, elapsed)

  const api = new Hono()
  api.use(neverStored, dataHeaders)
  api.post('/agents/enrol', limitRate(enrollments, { addressOf: shareOfClient, counts: () => true }))
  api.use(receiving)
  api.route('/', agentRoutes({ ...parts, operatorOnly, addressOf }))
  api.post('/sync', syncersOnly, async (context) => context.json(await parts.syncAll()))
  api.post('/hosts/:host/sync', syncersOnly, async (context) => {
    const name = context.req.param('host')
    const host = hostNameSchema.safeParse(name)
    if (!host.success || (await parts.views.host(host.data)) === undefined) throw notFound(`host "${name}"`)
    return context.json({ host: host.data, connected: await parts.syncHost(host.data) })
  })
  api.get('/why', whyRoute({ views: parts.views, mayRead: access.mayRead, hostOf: parts.hostOf, signIn }))
  api.route('/', holdRoutes(parts.holds, operatorOnly))
  api.use(readers)
  api.route('/', eventRoutes({ ...parts, mayRead: access.mayRead, readerOf }))
  api.route('/', readingRoutes(parts.views))
  api.route('/', findingRoutes(parts.views))
  api.all('*', (context) =>
    answer(context, { status: 404, code: 'not-found', message: 'The API has no such address.' }),
  )

  const app = new Hono()
  if (parts.answersOwnNamesOnly) app.use(ownNamesOnly(publicUrl))
  app.use('*', ownOriginOnly(access, publicUrl))
  app.get('/healthz', async (context) => {
    const problem = await parts.recordingProblem()
    if (problem === undefined) return context.json({ ok: true, version: parts.version })
    const { code, message, remedy, since } = problem
    return context.json({ ok: false, version: parts.version, error: { code, message, remedy, since } }, 503)
  })
  app.route('/api/v1', api)
  app.route('/', installRoutes(parts))
  app.route('/', parts.mirror)
  // What another site makes a browser send is refused with 403, and takes no attempts from its user.
  app.post('/login', limitRate(logIns, { addressOf: shareOfClient, counts: (status) => status === 401 }))
  app.use(receiving)
  app.route('/', parts.pages)
  app.onError(errorAnswer(parts.log))
  return app
}

function addressBy(clientAddress: ClientAddress): AgentParts['addressOf'] {
  return (context) => {
    const arrival = arrivalOf(context)
    return arrival === undefined ? 'an unknown address' : clientAddress(arrival)
  }
}
