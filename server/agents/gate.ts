// The gate agents come in by: WebSocket upgrades on the server's own port -> one live connection per host.
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Logger } from 'pino'
import { WebSocketServer } from 'ws'
import type { HostName } from '../../shared/names.ts'
import { agentSocketPath, frameLimit, pingEverySeconds, type ServerMessage } from '../../shared/protocol.ts'
import type { Report } from '../../shared/report.ts'
import type { HoldsMessage } from '../holds.ts'
import { isOwnOrigin } from '../origin.ts'
import { AgentConnection, type ConnectionEvents, type ConnectionLimits, closeCodes } from './connection.ts'

export type AgentGate = {
  /** For the http server's `upgrade` event. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
  isConnected(host: HostName): boolean
  /** Asks every connected agent; returns how many were asked. */
  askAll(message: AskMessage): number
  connectedHosts(): readonly HostName[]
  /** Nothing happens when it is not connected. */
  tell(host: HostName, message: HoldsMessage): void
  disconnect(host: HostName): void
  close(): Promise<void>
}

/** What a server may ask of all agents; beside it, it may only tell each what is held. */
export type AskMessage = Extract<ServerMessage, { type: 'sync' | 'check' }>

export type GateParts = {
  readonly publicUrl: URL
  readonly version: string
  readonly log: Logger
  publicKeyOf(host: HostName): Promise<string | undefined>
  heard(host: HostName): void
  received(report: Report): Promise<boolean>
  /** A host came or went. */
  connectionChanged(host: HostName): void
  /** How long a host may be silent before a person is told. */
  silentAfterMs(): number
  readonly limits?: Partial<GateLimits>
}

export type GateLimits = ConnectionLimits & {
  /** Connections that have not said hello yet. */
  readonly strangers: number
  /** At least: where hosts may be silent for a short time only, they are asked as often as it takes. */
  readonly pingEveryMs: number
}

const usualLimits: GateLimits = {
  helloWithinMs: 10_000,
  burst: 1000,
  messagesPerSecond: 20,
  unreadBytes: 1024 * 1024,
  strangers: 4096,
  pingEveryMs: pingEverySeconds * 1000,
}

export function createAgentGate(parts: GateParts): AgentGate {
  const limits = { ...usualLimits, ...parts.limits }
  const strangers = new Set<AgentConnection>()
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
    heard: parts.heard,
    received: parts.received,
    authenticated(connection, host) {
      strangers.delete(connection)
      byHost.get(host)?.close(closeCodes.replaced, 'a newer connection of this host took over')
      byHost.set(host, connection)
      connection.send({ type: 'welcome', serverVersion: parts.version })
      parts.connectionChanged(host)
    },
    closed(connection) {
      strangers.delete(connection)
      const { host } = connection
      if (host === undefined || byHost.get(host) !== connection) return
      byHost.delete(host)
      parts.connectionChanged(host)
    },
  }
  const all = () => [...strangers, ...byHost.values()]
  const pingAfter = (milliseconds: number) =>
    setTimeout(() => {
      for (const connection of all()) connection.ping()
      // An agent that applies has nothing else to say meanwhile: one answer may be late, or lost.
      pings = pingAfter(Math.min(limits.pingEveryMs, Math.max(1000, parts.silentAfterMs() / 4)))
    }, milliseconds)
  let pings = pingAfter(Math.min(limits.pingEveryMs, 1000))

  return {
    upgrade(request, socket, head) {
      const refusal = refusalOf(request, parts.publicUrl) ?? (strangers.size >= limits.strangers ? 503 : undefined)
      if (refusal !== undefined) return refuseUpgrade(socket, refusal)
      server.handleUpgrade(request, socket, head, (webSocket) => {
        const log = parts.log.child({ from: request.socket.remoteAddress })
        strangers.add(new AgentConnection(webSocket, socket, { events, limits, log }))
      })
    },
    isConnected: (host) => byHost.has(host),
    connectedHosts: () => [...byHost.keys()],
    tell: (host, message) => byHost.get(host)?.send(message),
    askAll(message) {
      const asked = byHost.size
      for (const connection of [...byHost.values()]) connection.send(message)
      return asked
    },
    disconnect: (host) => byHost.get(host)?.refuse('the host was removed', closeCodes.removed),
    async close() {
      clearTimeout(pings)
      for (const connection of all()) connection.close(1001, 'the server is stopping')
    },
  }
}

/** Agents send no origin; a page that does is only let in from this server itself. */
function refusalOf(request: IncomingMessage, publicUrl: URL): number | undefined {
  const path = new URL(request.url ?? '/', 'http://server').pathname
  if (path !== agentSocketPath) return 404
  const { origin, host } = request.headers
  return origin === undefined || isOwnOrigin(origin, host, publicUrl) ? undefined : 403
}

function refuseUpgrade(socket: Duplex, status: number): void {
  const reasons: Record<number, string> = { 403: 'Forbidden', 404: 'Not Found', 503: 'Service Unavailable' }
  socket.end(`HTTP/1.1 ${status} ${reasons[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}
