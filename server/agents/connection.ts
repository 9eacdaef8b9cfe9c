// One agent's connection: challenge, hello, then its closed list of messages, one at a time. Everything it sends is hostile until
// the schema, and then the signature, says otherwise.
import { randomBytes } from 'node:crypto'
import type { Duplex } from 'node:stream'
import type { Logger } from 'pino'
import type { RawData, WebSocket } from 'ws'
import type { HostName } from '../../shared/names.ts'
import {
  type AgentMessage,
  agentMessageSchema,
  frameLimitBeforeHello,
  helloText,
  protocolVersion,
  type ServerMessage,
} from '../../shared/protocol.ts'
import type { Report } from '../../shared/report.ts'
import { isSignedBy } from './host-key.ts'

export type ConnectionEvents = {
  /** The enrolled key of a host; undefined when it is not enrolled. */
  publicKeyOf(host: HostName): Promise<string | undefined>
  /** The agent proved to be `host`. */
  authenticated(connection: AgentConnection, host: HostName): void
  heard(host: HostName): void
  /** Resolves when the report is stored, with false when it must not be. */
  received(report: Report): Promise<boolean>
  closed(connection: AgentConnection): void
}

export type ConnectionLimits = {
  readonly helloWithinMs: number
  /** Messages at once, and messages a second that may follow them. */
  readonly burst: number
  readonly messagesPerSecond: number
  /** Bytes that wait to be read by the agent before it counts as dead. */
  readonly unreadBytes: number
}

/** What the close frame says; 4000 and up are for applications to define. */
export const closeCodes = { refused: 4001, replaced: 4002, flood: 4003, removed: 4004 } as const

export class AgentConnection {
  host: HostName | undefined
  readonly #webSocket: WebSocket
  readonly #events: ConnectionEvents
  readonly #limits: ConnectionLimits
  readonly #nonce = randomBytes(32).toString('base64url')
  readonly #helloTimer: NodeJS.Timeout
  readonly #waiting: string[] = []
  #log: Logger
  #working = false
  #allowance: number
  #allowanceAt = performance.now()
  #unansweredPings = 0

  constructor(webSocket: WebSocket, socket: Duplex, rest: ConnectionParts) {
    this.#webSocket = webSocket
    this.#events = rest.events
    this.#limits = rest.limits
    this.#log = rest.log
    this.#allowance = rest.limits.burst
    this.#helloTimer = setTimeout(() => this.refuse('no hello came in time'), rest.limits.helloWithinMs)
    boundBytes(socket, frameLimitBeforeHello, () => this.host === undefined)
    webSocket.on('message', (message, isBinary) => this.#take(message, isBinary))
    webSocket.on('pong', () => {
      this.#unansweredPings = 0
      // A word too: an agent that applies for ten minutes, or looks only every ten, is not silent.
      if (this.host !== undefined) this.#events.heard(this.host)
    })
    webSocket.on('error', (error) => this.#log.info({ reason: error.message }, 'agent connection broke'))
    webSocket.on('close', () => this.#end())
    this.send({ type: 'challenge', nonce: this.#nonce, protocol: protocolVersion })
  }

  send(message: ServerMessage): void {
    if (this.#webSocket.bufferedAmount > this.#limits.unreadBytes) {
      this.#log.warn({ unread: this.#webSocket.bufferedAmount }, 'agent does not read: connection closed')
      this.#webSocket.terminate()
      return
    }
    if (this.#webSocket.readyState === this.#webSocket.OPEN) this.#webSocket.send(JSON.stringify(message))
  }

  /** Two pings without an answer end the connection. */
  ping(): void {
    if (this.#unansweredPings >= 2) {
      this.#log.info('agent answers no pings: connection closed')
      this.#webSocket.terminate()
      return
    }
    this.#unansweredPings += 1
    if (this.#webSocket.readyState === this.#webSocket.OPEN) this.#webSocket.ping()
  }

  refuse(reason: string, code: number = closeCodes.refused): void {
    if (this.#webSocket.readyState !== this.#webSocket.OPEN) return
    this.#log.warn({ reason }, 'agent connection refused')
    this.send({ type: 'refused', reason })
    this.close(code, reason)
  }

  /** Says goodbye, and does not wait long for the answer: a host that was removed must be gone within seconds. */
  close(code: number, reason: string): void {
    this.#waiting.length = 0
    this.#webSocket.close(code, reason.slice(0, 120))
    setTimeout(() => this.#webSocket.terminate(), 1000).unref()
  }

  #take(message: RawData, isBinary: boolean): void {
    if (this.#webSocket.readyState !== this.#webSocket.OPEN) return
    if (isBinary) this.refuse('messages are JSON text')
    else if (!this.#spendAllowance()) this.refuse('too many messages', closeCodes.flood)
    else this.#waiting.push(textOf(message))
    if (!this.#working) void this.#work()
  }

  #spendAllowance(): boolean {
    const now = performance.now()
    const regained = ((now - this.#allowanceAt) / 1000) * this.#limits.messagesPerSecond
    this.#allowance = Math.min(this.#limits.burst, this.#allowance + regained) - 1
    this.#allowanceAt = now
    return this.#allowance >= 0
  }

  /** Reading stops while a message is worked on: a fast sender is slowed by TCP, not by this server's memory. */
  async #work(): Promise<void> {
    this.#working = true
    this.#webSocket.pause()
    try {
      for (let text = this.#waiting.shift(); text !== undefined; text = this.#waiting.shift()) await this.#hear(text)
    } catch (thrown) {
      this.#log.error(
        { err: thrown },
        'a message could not be recorded: connection closed, the agent will send it again',
      )
      this.close(1011, 'the server could not record this; try again')
    } finally {
      this.#working = false
      this.#webSocket.resume()
    }
  }

  async #hear(text: string): Promise<void> {
    const message = parseMessage(text)
    if (message === undefined) return this.refuse('not a message of this protocol')
    if (message.type === 'hello') return this.#hearHello(message)
    if (this.host === undefined) return this.refuse('the first message must be hello')
    if (message.type === 'report') return this.#hearReport(this.host, message.report)
    this.#events.heard(this.host)
  }

  async #hearHello(hello: Extract<AgentMessage, { type: 'hello' }>): Promise<void> {
    if (this.host !== undefined) return this.refuse('hello was said already')
    if (hello.protocol !== protocolVersion) {
      return this.refuse(`this server speaks protocol ${protocolVersion}, the agent ${hello.protocol}`)
    }
    const key = await this.#events.publicKeyOf(hello.host)
    const signature = Buffer.from(hello.signature, 'base64')
    // One answer for both, so that names of hosts cannot be tried out.
    if (key === undefined || !isSignedBy(key, helloText(this.#nonce, hello.host), signature)) {
      return this.refuse('not an enrolled host, or not its key')
    }
    clearTimeout(this.#helloTimer)
    this.host = hello.host
    this.#log = this.#log.child({ host: hello.host })
    this.#events.authenticated(this, hello.host)
    this.#events.heard(hello.host)
  }

  async #hearReport(host: HostName, report: Report): Promise<void> {
    if (report.host !== host) return this.refuse(`${host} may not report for ${report.host}`)
    this.#events.heard(host)
    if (!(await this.#events.received(report))) return this.refuse('the host was removed', closeCodes.removed)
    this.send({ type: 'ack', report: report.id })
  }

  #end(): void {
    clearTimeout(this.#helloTimer)
    this.#waiting.length = 0
    this.#events.closed(this)
  }
}

export type ConnectionParts = {
  readonly events: ConnectionEvents
  readonly limits: ConnectionLimits
  readonly log: Logger
}

/** The frame limit is one for the whole server, so that before the hello the bytes themselves are counted. */
function boundBytes(socket: Duplex, limit: number, applies: () => boolean): void {
  let bytes = 0
  const count = (chunk: Buffer) => {
    bytes += chunk.length
    if (!applies()) socket.off('data', count)
    else if (bytes > limit) socket.destroy()
  }
  socket.on('data', count)
}

function textOf(message: RawData): string {
  if (Array.isArray(message)) return Buffer.concat(message).toString('utf8')
  return (Buffer.isBuffer(message) ? message : Buffer.from(message)).toString('utf8')
}

function parseMessage(text: string): AgentMessage | undefined {
  try {
    return agentMessageSchema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}
