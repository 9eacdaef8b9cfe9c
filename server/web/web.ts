// The web side, put together: access, enrollments, the mirror and what bare hosts install, then the table of routes
// over them.
import type { Hono } from 'hono'
import type { Logger } from 'pino'
import { type HostName, hostNameSchema } from '../../shared/names.ts'
import type { Clock } from '../app/clock.ts'
import type { EventFeed } from '../app/events.ts'
import type { Holds } from '../app/holds.ts'
import type { KnownHosts } from '../app/known-hosts.ts'
import type { ServerLoop } from '../app/loop.ts'
import type { ClientAddress } from '../client-address.ts'
import { isLoopbackName } from '../origin.ts'
import type { OwnTokens } from '../own-tokens.ts'
import type { FleetClone } from '../repository/clone.ts'
import { basicCredentials, createMirror, mirrorPath, verifyMirrorPassword } from '../repository/mirror.ts'
import { type ServerSettings, viewersOf } from '../settings.ts'
import type { Views } from '../show/views.ts'
import { findHost } from '../store/hosts.ts'
import { listChannels } from '../store/outbox.ts'
import type { RecordingProblem } from '../store/recording.ts'
import type { Db } from '../store/tables.ts'
import type { Certificate } from '../tls.ts'
import { serverVersion } from '../version.ts'
import { createAccess } from './access.ts'
import { createApp } from './app.ts'
import { createArtifacts } from './install/artifacts.ts'
import { createEnrollments } from './install/enrollments.ts'
import { installScript } from './install/install-script.ts'
import { pageError } from './pages/failures.tsx'
import type { WebParts } from './parts.ts'
import type { Route } from './route.ts'
import { routesOf } from './routes.ts'

export type ServerParts = {
  readonly settings: ServerSettings
  readonly clock: Clock
  readonly log: Logger
  readonly db: Db
  readonly tokens: OwnTokens
  readonly clone: FleetClone
  readonly events: EventFeed
  readonly views: Views
  readonly holds: Holds
  readonly loop: ServerLoop
  readonly hosts: KnownHosts
  readonly publicUrl: URL
  readonly clientAddress: ClientAddress
  readonly certificate: Certificate | undefined
  /** Ends open event streams. */
  readonly closing: AbortSignal
  recordingProblem(): Promise<RecordingProblem | undefined>
}

export type Web = { readonly app: Hono; readonly routes: readonly Route[] }

export function createWeb(server: ServerParts): Web {
  const { db, clock, publicUrl, settings, certificate } = server
  const artifacts = createArtifacts(settings.artifacts)
  const key = certificate?.serverKey ?? ({ kind: 'none' } as const)
  const parts: WebParts = {
    ...server,
    access: createAccess({
      ...{ db, clock, ...server.tokens },
      viewers: viewersOf(settings, publicUrl),
      secure: publicUrl.protocol === 'https:',
    }),
    enrollments: createEnrollments({
      ...{ db, clock, artifacts, key, events: server.events },
      server: publicUrl,
    }),
    install: {
      artifacts,
      script: (built) =>
        installScript({
          ...{ server: publicUrl, key, certificate: certificate?.forHosts, artifacts: built },
          repository: settings.hostRepository ?? new URL(mirrorPath, publicUrl).href,
        }),
    },
    mirror: createMirror({ clone: server.clone }),
    hostOf: (request) => enrolledHost(request, server),
    version: serverVersion,
    statedUrl: settings.publicUrl,
    answersOwnNamesOnly: isLoopbackName(settings.listen.host),
    isNotified: async () => !settings.notifications || (await listChannels(db)).length > 0,
    sandboxes: settings.sandboxes ?? new Map(),
    selfSigned: certificate?.forHosts !== undefined,
  }
  const routes = routesOf(parts)
  return { app: createApp(routes, { ...parts, pageError: pageError(parts) }), routes }
}

async function enrolledHost(request: Request, { db, clock }: ServerParts): Promise<HostName | undefined> {
  const { username = '', password = '' } = basicCredentials(request) ?? {}
  const name = hostNameSchema.safeParse(username)
  const host = name.success ? await findHost(db, name.data) : undefined
  if (host === undefined) return undefined
  const isOwn = verifyMirrorPassword(host.publicKey, host.host, password, clock.now().getTime() / 1000)
  return isOwn ? host.host : undefined
}
