// The Plumbline server. Reads like a table of contents: each line makes one part of it and names what that part needs.

import { join } from 'node:path'
import { inspect } from 'node:util'
import { getRequestListener } from '@hono/node-server'
import { inspectRoutes } from 'hono/dev'
import type { Logger } from 'pino'
import { publicTitle, withoutUserInformation } from '../shared/address.ts'
import { compact } from '../shared/compact.ts'
import { guarded, ignored } from '../shared/platform/guarded.ts'
import { openLog } from '../shared/platform/log.ts'
import { PlumbError } from '../shared/problem.ts'
import { visibleText } from '../shared/visible-text.ts'
import { createAgentGate } from './agents/gate.ts'
import { createMachines } from './agents/machines.ts'
import { createPresence } from './agents/presence.ts'
import { type Clock, systemClock } from './app/clock.ts'
import { EventFeed } from './app/events.ts'
import { createFleetSource } from './app/fleet.ts'
import { createHolds } from './app/holds.ts'
import { createHostDeadlines } from './app/host-deadlines.ts'
import { Judging } from './app/judging.ts'
import { createKnownHosts } from './app/known-hosts.ts'
import { ServerLoop } from './app/loop.ts'
import { createReceiver } from './app/reports.ts'
import { clientAddressBehind } from './client-address.ts'
import { startListening } from './http-server.ts'
import { Courier } from './notify/courier.ts'
import { postJson } from './notify/post.ts'
import { ownTokens } from './own-tokens.ts'
import { type CloneOptions, openClone } from './repository/clone.ts'
import { createGit } from './repository/git.ts'
import { isEveryAddress, publicUrlOf, type ServerSettings, settingsFromCommandLine } from './settings.ts'
import { createViews } from './show/views-from-store.ts'
import { claimDirectory } from './store/claim.ts'
import { endWorkOfReplacedToken } from './store/credentials.ts'
import { damagedDatabases, openDatabase } from './store/database.ts'
import { findHost } from './store/hosts.ts'
import { createRecording, recordingProblem } from './store/recording.ts'
import { certificateFor } from './tls.ts'
import { serverVersion } from './version.ts'
import type { Route } from './web/route.ts'
import { createWeb } from './web/web.ts'

export type RunningServer = {
  /** How hosts and browsers reach it. */
  readonly url: string
  /** The table of everything that it answers over HTTP. */
  readonly routes: readonly Route[]
  /** Method and path of what really answers. */
  readonly registered: readonly string[]
  /** Does at once what is due by the clock. */
  readonly tick: ServerLoop['tick']
  close(): Promise<void>
}

/** What comes from outside the server, for tests to hold. */
export type Outside = { readonly clock: Clock; readonly log: Logger; random(): number }

/** What was opened is closed again when a later part cannot be. */
export async function startServer(settings: ServerSettings, outside: Partial<Outside> = {}): Promise<RunningServer> {
  const opened = new AsyncDisposableStack()
  try {
    return await startWith(opened, settings, outside)
  } catch (thrown) {
    await opened.disposeAsync()
    const problem = recordingProblem(thrown)
    if (problem === undefined) throw thrown
    throw new PlumbError({ ...problem, where: { file: settings.data } }, { cause: thrown })
  }
}

async function startWith(
  opened: AsyncDisposableStack,
  settings: ServerSettings,
  {
    clock = systemClock,
    log = openLog({ level: settings.logLevel, namesProcess: true, mask: withoutUserInformation }),
    random = Math.random,
  }: Partial<Outside>,
): Promise<RunningServer> {
  const { data } = settings
  const { tokens, recording, database } = await openRecords(opened, settings, { clock, log })
  const { db } = database
  const clone = await openClone({ ...cloneOptions(settings), git: createGit() })
  const source = createFleetSource(clone, clock)
  const certificate = await certificateFor(settings, clock.now())
  const clientAddress = clientAddressBehind(settings.trustedProxies)
  const listening = await startListening(settings.listen, { certificate, clientAddress, log })
  const http = opened.adopt(listening, (server) => server.close())
  const publicUrl = publicUrlOf(settings, http)
  const closing = opened.adopt(new AbortController(), (controller) => controller.abort())

  const events = new EventFeed()
  const presence = createPresence(clock, events)
  const deadlines = createHostDeadlines(source, settings.silentAfterSeconds)
  const gate = createAgentGate({
    ...{ log, events, publicUrl, clientAddress, version: serverVersion },
    machines: createMachines({ db, clock, events }),
    publicKeyOf: async (host) => (await findHost(db, host))?.publicKey,
    receive: createReceiver({ db, clock, log, events }),
    offlineAfterMs: deadlines.offlineAfterMs,
    proved: http.proved,
  })
  const courier = new Courier({
    ...{ db, clock, log, publicUrl, random, post: postJson },
    secretsDirectory: join(data, 'secrets'),
    allowOwnAddresses: settings.alertsToThisMachine,
  })
  const views = createViews({ db, clock, source, clone, agents: gate, presence, courier })
  const holds = createHolds({ db, clock, log, events, views, agents: gate })
  const missingRevisions = clone.missing
  const judging = new Judging({
    ...{ db, clock, log, events, presence, source, courier, deadlines, missingRevisions },
    quarantinedDatabases: () => damagedDatabases(data),
  })
  const loop = new ServerLoop({
    ...{ db, clock, log, events, presence, source, courier, judging, missingRevisions, agents: gate },
    // Walked once now, so that no page waits for it.
    readHistory: async ({ revision }) => void (await clone.lastCommits(revision, '')),
    fetchEverySeconds: settings.fetchEverySeconds,
  })
  opened.defer(() => loop.close())
  opened.defer(() => holds.idle())
  opened.defer(() => gate.close())
  const { app, routes } = createWeb({
    recordingProblem: () => recording.problem(database),
    ...{ db, clock, log, events, settings, tokens, clone, views, holds, loop, publicUrl, clientAddress, certificate },
    hosts: createKnownHosts({ db, log, events }),
    closing: closing.signal,
  })
  http.serve(getRequestListener(app.fetch), gate.upgrade)
  await loop.start()

  warnOfSettings(settings, publicUrl, log)
  log.info({ url: publicUrl.href, data, repository: source.url }, 'server started')
  return {
    url: publicUrl.href,
    routes,
    registered: registeredIn(app),
    tick: () => loop.tick(),
    close: () => opened.disposeAsync(),
  }
}

/** The data directory, which is this server's alone from now on: its tokens, and the database. */
async function openRecords(
  opened: AsyncDisposableStack,
  { data }: ServerSettings,
  { clock, log }: Pick<Outside, 'clock' | 'log'>,
) {
  opened.adopt(claimDirectory(data), (claim) => claim.release())
  const tokens = ownTokens(data)
  const recording = createRecording(log, { now: () => clock.now(), elapsedMs: () => performance.now() })
  const database = opened.adopt(await openDatabase(data, clock.now(), recording), ({ close }) => close())
  const { db, setAside } = database
  if (setAside !== undefined)
    log.error({ quarantined: setAside }, 'THE DATABASE WAS DAMAGED and was quarantined; an empty one is used')
  const ended = await endWorkOfReplacedToken(db, tokens.operatorTokenHash, clock.now().toISOString())
  if (ended !== undefined && ended.sessions + ended.enrollmentTokens > 0)
    log.warn(
      ended,
      ended.isReplaced
        ? 'the operator token was replaced: what was made with the old one has ended'
        : 'sessions and enrollment tokens of an earlier version have ended: it is not known which operator token made them',
    )
  return { tokens, recording, database }
}

function warnOfSettings(settings: ServerSettings, publicUrl: URL, log: Logger): void {
  if (settings.publicUrl === undefined && isEveryAddress(settings.listen.host))
    log.warn(
      { url: publicUrl.href },
      'install lines name this address; if hosts reach the server by another: --public-url',
    )
  if (settings.hostCredentialsDropped === true)
    log.warn(
      { hostRepository: settings.hostRepository },
      'hosts are not given the user and password of --host-repository: on each, plumb install --repo with them',
    )
}

/** Without what only passes requests on. */
function registeredIn(app: Parameters<typeof inspectRoutes>[0]): readonly string[] {
  const handlers = inspectRoutes(app).filter(({ isMiddleware }) => !isMiddleware)
  return [...new Set(handlers.map(({ method, path }) => `${method} ${path}`))]
}

function cloneOptions({ data, repository, branch, ...settings }: ServerSettings): Omit<CloneOptions, 'git'> {
  return {
    directory: join(data, 'repository'),
    url: repository,
    ...compact({
      branch,
      credentials: settings.repositoryCredentials,
      certificateFile: settings.repositoryCertificate,
    }),
  }
}

async function runFromCommandLine(): Promise<void> {
  const title = publicTitle(process.argv)
  if (title !== undefined) process.title = title
  const settings = settingsFromCommandLine(process.argv)
  const server = await startServer(settings)
  const stop = guarded(
    () => server.close().then(exitSoon),
    (thrown) => {
      console.error(visibleText(inspect(thrown)))
      process.exit(1)
    },
  )
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop)
  console.log(visibleText(`Plumbline is at ${server.url}`))
  console.log(visibleText(`Sign in with the token in ${join(settings.data, 'operator-token')}`))
}

/** Node's own end does not hang as `process.exit` can: https://github.com/nodejs/node/issues/54918 */
function exitSoon(): void {
  setTimeout(
    guarded(() => process.exit(), ignored),
    1000,
  ).unref()
}

if (import.meta.main) {
  runFromCommandLine().catch((thrown: unknown) => {
    const unforeseen = () => withoutUserInformation(inspect(thrown))
    console.error(visibleText(thrown instanceof PlumbError ? `plumb-server: ${thrown.message}` : unforeseen()))
    process.exitCode = 1
  })
}
