// The Plumbline server. Reads like a table of contents: each line makes one part of it and names what that part needs.
import { join } from 'node:path'
import { getRequestListener } from '@hono/node-server'
import { type Logger, pino } from 'pino'
import { PlumbError } from '../shared/problem.ts'
import { createAgentGate } from './agents/gate.ts'
import { createPresence } from './agents/presence.ts'
import { type Clock, systemClock } from './clock.ts'
import { createFleetSource } from './fleet.ts'
import { createHolds } from './holds.ts'
import { startListening } from './http-server.ts'
import { createLoop, type ServerLoop } from './loop.ts'
import { createCourier } from './notify/courier.ts'
import { postJson } from './notify/post.ts'
import { ownTokens } from './own-tokens.ts'
import { type CloneOptions, openClone } from './repository/clone.ts'
import { createGit } from './repository/git.ts'
import { publicUrlOf, type ServerSettings, settingsFromCommandLine } from './settings.ts'
import { createChanges } from './show/changes.ts'
import { createViews } from './show/views-from-store.ts'
import { claimDirectory } from './store/claim.ts'
import { damagedDatabases, openDatabase } from './store/database.ts'
import { findHost } from './store/hosts.ts'
import { certificateFor } from './tls.ts'
import { serverVersion } from './version.ts'
import { createWeb } from './web.ts'

export type RunningServer = {
  /** How hosts and browsers reach it. */
  readonly url: string
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
    throw thrown
  }
}

async function startWith(
  opened: AsyncDisposableStack,
  settings: ServerSettings,
  { clock = systemClock, log = logger(settings), random = Math.random }: Partial<Outside>,
): Promise<RunningServer> {
  const { data } = settings
  opened.adopt(claimDirectory(data), (claim) => claim.release())
  const tokens = ownTokens(data)
  const { db, setAside } = opened.adopt(await openDatabase(data, clock.now()), (database) => database.close())
  if (setAside !== undefined)
    log.error({ setAside }, 'THE DATABASE WAS DAMAGED and was set aside; an empty one is used')
  const clone = await openClone({ ...cloneOptions(settings), git: createGit() })
  const source = createFleetSource(clone, clock)
  const certificate = await certificateFor(settings, clock.now())
  const http = opened.adopt(await startListening(settings.listen, certificate), (server) => server.close())
  const publicUrl = publicUrlOf(settings, http)
  const closing = opened.adopt(new AbortController(), (controller) => controller.abort())

  const changes = createChanges()
  const presence = createPresence(clock)
  const common = { db, clock, log, source, presence, changes }
  const gate = createAgentGate({
    ...{ log, publicUrl, version: serverVersion },
    publicKeyOf: async (host) => (await findHost(db, host))?.publicKey,
    heard: (host) => loop.heard(host),
    received: (report) => loop.received(report),
    connectionChanged: (host) => {
      changes.announce({ noun: 'host', name: host })
      holds.tell(host)
    },
    silentAfterMs: () => loop.silentAfterMs(),
  })
  const courier = createCourier({
    ...{ db, clock, log, publicUrl, random, post: postJson },
    secretsDirectory: join(data, 'secrets'),
    allowOwnAddresses: settings.alertsToThisMachine,
  })
  const views = createViews({
    ...{ db, clock, source, clone },
    isConnected: gate.isConnected,
    lastHeardAt: presence.lastHeardAt,
    channelProblems: () => courier.problems(),
  })
  const { isConnected, connectedHosts, tell: send } = gate
  const holds = createHolds({ ...{ db, clock, log, changes, views }, isConnected, connectedHosts, send })
  const loop = createLoop({
    ...{ ...common, courier },
    askAll: gate.askAll,
    disconnect: gate.disconnect,
    // Walked once now, so that no page waits for it.
    headMoved: async ({ revision }) => void (await clone.lastCommits(revision, '')),
    databasesSetAside: () => damagedDatabases(data),
    fetchEverySeconds: settings.fetchEverySeconds,
    silentAfterSeconds: settings.silentAfterSeconds,
  })
  opened.defer(() => loop.close())
  opened.defer(() => holds.settled())
  opened.defer(() => gate.close())
  const app = createWeb({
    ...{ ...common, settings, tokens, clone, views, holds, loop, publicUrl, certificate },
    closing: closing.signal,
  })
  http.serve(getRequestListener(app.fetch), gate.upgrade)
  await loop.start()

  log.info({ url: publicUrl.href, data, repository: source.url }, 'server started')
  return { url: publicUrl.href, tick: loop.tick, close: () => opened.disposeAsync() }
}

function cloneOptions({ data, repository, branch, repositoryCertificate }: ServerSettings): Omit<CloneOptions, 'git'> {
  return {
    directory: join(data, 'repository'),
    url: repository,
    ...(branch === undefined ? {} : { branch }),
    ...(repositoryCertificate === undefined ? {} : { certificateFile: repositoryCertificate }),
  }
}

/** Written at once: a worker would not survive bundling, and what a crash said last matters most. */
function logger({ logLevel }: ServerSettings): Logger {
  return pino({ level: logLevel }, pino.destination({ sync: true }))
}

async function runFromCommandLine(): Promise<void> {
  const settings = settingsFromCommandLine(process.argv)
  const server = await startServer(settings)
  const stop = () => void server.close().then(() => process.exit())
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop)
  console.log(`Plumbline is at ${server.url}`)
  console.log(`Sign in with the token in ${join(settings.data, 'operator-token')}`)
}

if (import.meta.main) {
  runFromCommandLine().catch((thrown: unknown) => {
    console.error(thrown instanceof PlumbError ? `plumb-server: ${thrown.message}` : thrown)
    process.exitCode = 1
  })
}
