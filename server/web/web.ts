// The web side, put together: views from store and clone, access, invitations, then API, mirror and pages over them.
import type { Hono } from 'hono'
import type { Logger } from 'pino'
import { type HostName, hostNameSchema } from '../../shared/names.ts'
import { enrolHost, issueToken, type TokenRequest, tokenRequestSchema } from '../agents/enrol.ts'
import type { Clock } from '../app/clock.ts'
import type { Holds } from '../app/holds.ts'
import type { ServerLoop } from '../app/loop.ts'
import type { ClientAddress } from '../client-address.ts'
import { isLoopbackName } from '../origin.ts'
import type { OwnTokens } from '../own-tokens.ts'
import type { FleetClone } from '../repository/clone.ts'
import { basicCredentials, mirrorPath, mirrorRoutes, verifyMirrorPassword } from '../repository/mirror.ts'
import { type ServerSettings, viewersOf } from '../settings.ts'
import type { Changes } from '../show/changes.ts'
import type { Views } from '../show/views.ts'
import { findHost } from '../store/hosts.ts'
import { listChannels } from '../store/outbox.ts'
import { type RecordingProblem, recordingProblem } from '../store/recording.ts'
import type { Db } from '../store/tables.ts'
import type { Certificate } from '../tls.ts'
import { serverVersion } from '../version.ts'
import { type Access, createAccess } from './access.ts'
import type { Invitation } from './api/agents.ts'
import { type Artifacts, createArtifacts } from './install/artifacts.ts'
import { installLine, installWarning } from './install/install-line.ts'
import { installScript } from './install/install-script.ts'
import { pageRoutes } from './pages/routes.tsx'
import { serverRoutes } from './routes.ts'

export type WebParts = {
  readonly settings: ServerSettings
  readonly clock: Clock
  readonly log: Logger
  readonly db: Db
  readonly tokens: OwnTokens
  readonly clone: FleetClone
  readonly changes: Changes
  readonly views: Views
  readonly holds: Holds
  readonly loop: ServerLoop
  readonly publicUrl: URL
  readonly clientAddress: ClientAddress
  readonly certificate: Certificate | undefined
  /** Ends open event streams. */
  readonly closing: AbortSignal
  recordingProblem(): Promise<RecordingProblem | undefined>
}

export function createWeb(parts: WebParts): Hono {
  const { db, clock, log, loop, publicUrl, settings, views, holds } = parts
  const access = createAccess({
    ...{ db, clock, ...parts.tokens },
    viewers: viewersOf(settings, publicUrl),
    secure: publicUrl.protocol === 'https:',
  })
  const artifacts = createArtifacts(settings.artifacts)
  return serverRoutes({
    ...{
      log,
      access,
      views,
      publicUrl,
      clientAddress: parts.clientAddress,
      changes: parts.changes,
      closing: parts.closing,
    },
    version: serverVersion,
    answersOwnNamesOnly: isLoopbackName(settings.listen.host),
    artifacts,
    script: (artifacts) => installScript({ ...hostsFollow(parts), artifacts }),
    invite: (request) => invite(parts, request, artifacts),
    syncAll: () => loop.syncAll(),
    syncHost: (host) => loop.syncHost(host),
    removeHost: (host) => loop.removeHost(host),
    forgetMachine: (host) => loop.forgetMachine(host),
    holds,
    recordingProblem: parts.recordingProblem,
    hostOf: (request) => enrolledHost(request, parts),
    mirror: mirrorRoutes({
      clone: parts.clone,
      authorise: (request) => enrolledHost(request, parts),
    }),
    pages: dashboard(parts, access, artifacts),
    async enrol(request, address) {
      const enrolment = await enrolHost(db, request, { clock, address })
      if (enrolment.kind === 'enrolled') loop.heard(request.host)
      loop.enrolmentTried(request.host)
      return enrolment
    },
  })
}

function hostsFollow({ settings, publicUrl, certificate }: WebParts) {
  return {
    server: publicUrl,
    key: certificate?.serverKey ?? ({ kind: 'none' } as const),
    certificate: certificate?.forHosts,
    repository: settings.hostRepository ?? new URL(mirrorPath, publicUrl).href,
  }
}

async function invite(parts: WebParts, request: TokenRequest, artifacts: Artifacts): Promise<Invitation> {
  const { token, expiresAt } = await issueToken(parts.db, request, parts.clock)
  const { server, key } = hostsFollow(parts)
  const warning = installWarning(server, { hasAgent: (await artifacts.list()).length > 0 })
  const line = installLine(server, key, token, request.host)
  return { token, installLine: line, expiresAt, ...(warning === undefined ? {} : { warning }) }
}

async function enrolledHost(request: Request, { db, clock }: WebParts): Promise<HostName | undefined> {
  const { username = '', password = '' } = basicCredentials(request) ?? {}
  const name = hostNameSchema.safeParse(username)
  const host = name.success ? await findHost(db, name.data) : undefined
  if (host === undefined) return undefined
  const isOwn = verifyMirrorPassword(host.publicKey, host.host, password, clock.now().getTime() / 1000)
  return isOwn ? host.host : undefined
}

function dashboard(parts: WebParts, access: Access, artifacts: Artifacts): Hono {
  return pageRoutes({
    views: parts.views,
    readAccess: access.mayRead,
    operator: access.isOperator,
    signIn: access.signIn,
    signOut: access.signOut,
    hasAgent: async () => (await artifacts.list()).length > 0,
    createEnrolment: (host) => invite(parts, tokenRequestSchema.parse({ host }), artifacts),
    syncAll: () => parts.loop.syncAll(),
    syncHost: (host) => parts.loop.syncHost(host),
    placeHold: (request) => parts.holds.place(request),
    releaseHold: (id, host) => parts.holds.release(id, host),
    failed: (error, reference) => parts.log.error({ err: error, reference }, 'a page failed'),
    recordingProblem: parts.recordingProblem,
    recordingProblemOf: recordingProblem,
    isNotified: async () => !parts.settings.notifications || (await listChannels(parts.db)).length > 0,
    now: () => parts.clock.now(),
    publicUrl: parts.settings.publicUrl?.href,
    selfSigned: parts.certificate?.forHosts !== undefined,
  })
}
