// The one socket of the server: http or https, requests to the app and upgrades to the agents' gate.

import type { IncomingMessage } from 'node:http'
import { createServer as createHttpServer, type RequestListener, type Server, type ServerOptions } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Logger } from 'pino'
import { errnoOf } from '../shared/errno.ts'
import { endsConnection, guarded } from '../shared/platform/guarded.ts'
import { PlumbError } from '../shared/problem.ts'
import { bounds } from './allowance/bounds.ts'
import { createRate, type RateLimit } from './allowance/rate.ts'
import { createSlots } from './allowance/slots.ts'
import { type ClientAddress, shareOf } from './client-address.ts'
import { type OneByOne, oneByOne } from './one-by-one.ts'
import type { Certificate } from './tls.ts'

export type HttpServer = {
  readonly port: number
  serve(requests: RequestListener, upgrades: (request: IncomingMessage, socket: Duplex, head: Buffer) => void): void
  /** The socket does not count among those of unknown clients any more. */
  proved(socket: Socket): void
  close(): Promise<void>
}

export type ListenParts = {
  readonly certificate: Certificate | undefined
  readonly clientAddress: ClientAddress
  readonly log: Logger
  readonly times?: RequestTimes
  /** Of one address. */
  readonly requests?: RateLimit
}

/** In milliseconds. What is late is looked for every `connectionsCheckingInterval`. */
type RequestTimes = Required<Pick<ServerOptions, 'headersTimeout' | 'requestTimeout' | 'connectionsCheckingInterval'>>

/** Until the headers, and the whole body, have arrived: after that the connection is closed with 408. */
const usualTimes: RequestTimes = { headersTimeout: 10_000, requestTimeout: 20_000, connectionsCheckingInterval: 2000 }

/** RFC 9110, 7.8: an upgrade to a protocol that a server does not know is ignored, and the request answered without it. */
function isKnownUpgrade({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket'
}

/** What an address may ask for, beyond which it waits; who would wait longer than this is refused. */
const longestWaitMs = 10_000
const usualRequests: RateLimit = { burst: bounds.requests.limit, perSecond: 200 }

function turnsOf({ clientAddress, log, requests = usualRequests }: ListenParts): OneByOne {
  const rate = createRate(requests, () => performance.now())
  return {
    waiting: bounds.requestsAhead.limit,
    waitOf(request) {
      const share = shareOf(clientAddress(request))
      const wait = rate.spend(share, 1)
      if (wait <= longestWaitMs) return wait
      rate.spend(share, -1)
      return undefined
    },
    ends: (thrown, socket) => endsConnection(log, socket)(thrown),
  }
}

/** Ten thousand agents may come back at once; the usual queue of 511 would turn most of them away. */
const backlog = 8192

export async function startListening(
  listen: { readonly host: string; readonly port: number },
  parts: ListenParts,
): Promise<HttpServer> {
  const { certificate, log, times = usualTimes } = parts
  const options = { ...times, shouldUpgradeCallback: isKnownUpgrade }
  const server =
    certificate === undefined
      ? createHttpServer(options)
      : createHttpsServer({ ...options, ...tlsOptions(certificate) })
  await listening(server, listen)
  // Such as no free file descriptor for the next connection: without a listener it would end the process.
  const failed = (error: unknown) => log.error({ err: error }, 'a connection could not be accepted')
  server.on('error', guarded(failed, failed))
  const unknown = boundSockets(server, log)
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : listen.port,
    serve(requests, upgrades) {
      server.on(
        'request',
        guarded(oneByOne(requests, turnsOf(parts)), (thrown, request) => endsConnection(log, request.socket)(thrown)),
      )
      server.on(
        'upgrade',
        guarded(
          (request, socket, head) => {
            socket.on(
              'error',
              guarded(() => socket.destroy(), endsConnection(log, socket)),
            )
            upgrades(request, socket, head)
          },
          (thrown, _request, socket) => endsConnection(log, socket)(thrown),
        ),
      )
    },
    proved: (socket) => unknown.get(peerOf(socket))?.(),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** Ways to give the places of open sockets back, by their peers: a TLS socket has the same peer as the one below it. */
function boundSockets(server: Server, log: Logger): ReadonlyMap<string, () => void> {
  const places = createSlots({ total: Number.POSITIVE_INFINITY, each: bounds.sockets.limit })
  const open = new Map<string, () => void>()
  const opened = (socket: Socket) => {
    const leave = places.take(shareOf(socket.remoteAddress ?? ''))
    if (leave === undefined) {
      log.warn({ from: socket.remoteAddress }, 'too many connections of one address: closed')
      return socket.destroy()
    }
    const peer = peerOf(socket)
    const closed = () => {
      leave()
      open.delete(peer)
    }
    open.set(peer, leave)
    return socket.once('close', guarded(closed, leave))
  }
  server.on(
    'connection',
    guarded(opened, (thrown, socket) => endsConnection(log, socket)(thrown)),
  )
  return open
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`
}

function tlsOptions({ key, certificate }: Certificate) {
  return { key, cert: certificate, minVersion: 'TLSv1.2' as const }
}

function listening(server: Server, { host, port }: { readonly host: string; readonly port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error) =>
      reject(
        new PlumbError(
          {
            code: 'usage',
            message: `cannot listen on ${host}:${port}: ${errnoOf(error) ?? error.message}`,
            remedy:
              errnoOf(error) === 'EADDRINUSE'
                ? 'Something listens there already; choose another with --listen.'
                : 'Choose another with --listen.',
          },
          { cause: error },
        ),
      )
    server.once('error', guarded(failed, reject))
    server.once(
      'listening',
      guarded(() => {
        server.removeAllListeners('error')
        resolve()
      }, reject),
    )
    server.listen({ host, port, backlog })
  })
}
