// Accepts WebSocket upgrades of agents on the server's own port, and keeps one live connection per host.
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Logger } from 'pino'
import { type WebSocket, WebSocketServer } from 'ws'
import type { HostName } from '../../shared/names.ts'
import { endsConnection, guarded } from '../../shared/platform/guarded.ts'
import { agentSocketPath, frameLimit, pingEverySeconds, type ServerMessage } from '../../shared/protocol.ts'
import { bounds } from '../allowance/bounds.ts'
import { createRate, type RateLimit } from '../allowance/rate.ts'
import { createSlots, type SlotLimits } from '../allowance/slots.ts'
import type { EventFeed } from '../app/events.ts'
import type { HoldsMessage } from '../app/holds.ts'
import type { ReceiveReport } from '../app/reports.ts'
import { type ClientAddress, shareOf } from '../client-address.ts'
import { isOwnOrigin } from '../origin.ts'
import { AgentConnection, type ConnectionEvents } from './connection.ts'
import { type ConnectionLimits, closeCodes } from './connection-limits.ts'
import type { Machines } from './machines.ts'

export type AgentGate = {
  /** For the http server's `upgrade` event. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
  isConnected(host: HostName): boolean
  connectedHosts(): readonly HostName[]
  /** False when the host is not connected. */
  send(host: HostName, message: HoldsMessage | AgentRequest): boolean
  close(): Promise<void>
}

/** All that a server may request of agents. The only other message is the list of holds. */
export type AgentRequest = Extract<ServerMessage, { type: 'sync' | 'check' }>

export type GateParts = {
  readonly publicUrl: URL
  readonly clientAddress: ClientAddress
  readonly version: string
  readonly log: Logger
  publicKeyOf(host: HostName): Promise<string | undefined>
  readonly machines: Machines
  readonly events: EventFeed
  readonly receive: ReceiveReport
  /** Time without a message after which a host counts as offline. */
  offlineAfterMs(): number
  /** The socket belongs to an agent and no longer counts against the limit for unknown clients. */
  proved(socket: Socket): void
  readonly limits?: Partial<GateLimits>
}

export type GateLimits = ConnectionLimits & {
  /** Connections without a hello yet: in total, and per address. */
  readonly strangers: SlotLimits
  readonly reportRows: RateLimit
  /** Upper bound: pings are more frequent when hosts count as offline after a short time. */
  readonly pingEveryMs: number
}

const usualLimits: GateLimits = {
  helloWithinMs: 10_000,
  burst: bounds.messages.limit,
  messagesPerSecond: 20,
  unreadBytes: 1024 * 1024,
  strangers: { total: bounds.allStrangers.limit, each: bounds.strangers.limit },
  // A host with 1,000 services that all change with a commit takes 2,000.
  reportRows: { burst: bounds.reportRows.limit, perSecond: 100 },
  pingEveryMs: pingEverySeconds * 1000,
}

/** Rate limit per host, far above a spool of reports after a day without a server. */
const messageBytes = { burst: bounds.messageBytes.limit, perSecond: 1024 * 1024 }

export function createAgentGate(parts: GateParts): AgentGate {
  const limits = { ...usualLimits, ...parts.limits }
  /** Connections without a hello, with the function that frees their slot. */
  const strangers = new Map<AgentConnection, () => void>()
  const places = createSlots(limits.strangers)
  const bytes = createRate(messageBytes, () => performance.now())
  const rows = createRate(limits.reportRows, () => performance.now())
  const known = (connection: AgentConnection) => {
    strangers.get(connection)?.()
    strangers.delete(connection)
  }
  const byHost = new Map<HostName, AgentConnection>()
  const server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: frameLimit,
    maxFragments: 1024,
    clientTracking: false,
  })
  const events: ConnectionEvents = {
    publicKeyOf: parts.publicKeyOf,
    copySignOf: (host, machine, address) =>
      parts.machines.copySignOf({ host, machine, address, connected: byHost.get(host) }),
    heard: (host) => parts.events.emit({ kind: 'host-heard', host }),
    checked: (host) => parts.events.emit({ kind: 'check-finished', host }),
    clockSaid: (host, said) => parts.events.emit({ kind: 'clock-read', host, ...said }),
    received: parts.receive,
    waitAfter: (host, cost) => Math.max(bytes.spend(host, cost.bytes), rows.spend(host, cost.rows)),
    authenticated(connection, host) {
      known(connection)
      byHost.get(host)?.close(closeCodes.replaced, 'a newer connection of this host took over')
      byHost.set(host, connection)
      connection.send({ type: 'welcome', serverVersion: parts.version })
      parts.events.emit({ kind: 'connection-changed', host })
    },
    closed(connection) {
      known(connection)
      const { host } = connection
      if (host === undefined || byHost.get(host) !== connection) return
      byHost.delete(host)
      parts.events.emit({ kind: 'connection-changed', host })
    },
  }
  parts.events.subscribe(['host-removed'], ({ host }) => {
    byHost.get(host)?.refuse('the host was removed', closeCodes.removed)
  })
  const all = () => [...strangers.keys(), ...byHost.values()]
  const pingAll = () => {
    // An applying agent sends nothing but pongs, and one of them may be late or lost.
    pings = pingAfter(Math.min(limits.pingEveryMs, Math.max(1000, parts.offlineAfterMs() / 4)))
    for (const connection of all()) connection.ping()
  }
  const pingsFailed = (thrown: unknown) => parts.log.error({ err: thrown }, 'agents could not be pinged')
  const pingAfter = (milliseconds: number) => setTimeout(guarded(pingAll, pingsFailed), milliseconds)
  let pings = pingAfter(Math.min(limits.pingEveryMs, 1000))

  return {
    upgrade(request, socket, head) {
      const refusal = refusalOf(request, parts.publicUrl)
      if (refusal !== undefined) return refuseUpgrade(socket, refusal)
      const address = parts.clientAddress(request)
      const leave = places.take(shareOf(address))
      if (leave === undefined) return refuseUpgrade(socket, 503)
      // Also when the handshake fails and no connection ever closes.
      socket.once('close', guarded(leave, leave))
      const log = parts.log.child({ from: address })
      const admit = (webSocket: WebSocket) =>
        strangers.set(new AgentConnection(webSocket, socket, { events, limits, log, address }), () => {
          leave()
          parts.proved(request.socket)
        })
      server.handleUpgrade(request, socket, head, guarded(admit, endsConnection(log, socket)))
    },
    isConnected: (host) => byHost.has(host),
    connectedHosts: () => [...byHost.keys()],
    send(host, message) {
      byHost.get(host)?.send(message)
      return byHost.has(host)
    },
    async close() {
      clearTimeout(pings)
      for (const connection of all()) connection.close(1001, 'the server is stopping')
    },
  }
}

/** Agents send no Origin header; browsers do, and only pages of this server are accepted. */
function refusalOf(request: IncomingMessage, publicUrl: URL): number | undefined {
  // `//` and the like are not valid URLs.
  if (URL.parse(request.url ?? '/', 'http://server')?.pathname !== agentSocketPath) return 404
  const { origin, host } = request.headers
  return origin === undefined || isOwnOrigin(origin, host, publicUrl) ? undefined : 403
}

function refuseUpgrade(socket: Duplex, status: number): void {
  const reasons: Record<number, string> = { 403: 'Forbidden', 404: 'Not Found', 503: 'Service Unavailable' }
  // Nothing reads this socket any more, so neither data nor a disconnect of the client would be noticed.
  socket.once(
    'finish',
    guarded(
      () => socket.destroy(),
      () => socket.destroy(),
    ),
  )
  socket.end(`HTTP/1.1 ${status} ${reasons[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}
