// One agent's connection: challenge, hello, then a closed list of messages, one at a time. All input is untrusted until the
// schema, and then the signature, has been verified.
import { randomBytes } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { RawData, WebSocket } from 'ws'
import type { HostName } from '../../shared/names.ts'
import { guarded } from '../../shared/platform/guarded.ts'
import {
  type AgentMessage,
  frameLimitBeforeHello,
  helloText,
  type Machine,
  machineText,
  protocolVersion,
  type ServerMessage,
} from '../../shared/protocol.ts'
import type { Report } from '../../shared/report.ts'
import { type ConnectionLimits, closeCodes, type MessageCost } from './connection-limits.ts'
import { isSignedBy } from './host-key.ts'
import { parseMessage } from './parse-message.ts'
import { boundBytes, textOf } from './socket-bytes.ts'

export type ConnectionEvents = {
  /** The enrolled key of a host; undefined when it is not enrolled. */
  publicKeyOf(host: HostName): Promise<string | undefined>
  /** The sign by which the machine was recognized as a copy of the known one; undefined when it is the known one. */
  copySignOf(host: HostName, machine: Machine | undefined, address: string): Promise<string | undefined>
  /** The agent has proved its identity as `host`. */
  authenticated(connection: AgentConnection, host: HostName): void
  heard(host: HostName): void
  /** The agent finished a check, with or without changes. */
  checked(host: HostName): void
  /** The host's clock. `isFresh`: the time is of this moment. */
  clockSaid(host: HostName, said: { readonly at: string; readonly isFresh: boolean }): void
  /** Resolves when the report is stored, to the number of rows written; undefined when the report must not be stored. */
  received(report: Report): Promise<number | undefined>
  closed(connection: AgentConnection): void
  /** Milliseconds to wait before the next message of the host is read, given the cost of the last one. */
  waitAfter(host: HostName, cost: MessageCost): number
}

export type ConnectionParts = {
  readonly events: ConnectionEvents
  readonly limits: ConnectionLimits
  readonly log: Logger
  /** Address of the client. */
  readonly address: string
}

/** Time for an answer to a ping before the agent counts as disconnected. */
const answersWithinMs = 10_000

const longestRestMs = 10_000

export class AgentConnection {
  host: HostName | undefined
  machine: Machine | undefined
  readonly #webSocket: WebSocket
  readonly #events: ConnectionEvents
  readonly #limits: ConnectionLimits
  readonly #address: string
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
    this.#address = rest.address
    this.#allowance = rest.limits.burst
    const ends = (thrown: unknown) => this.#fail(thrown)
    const late = guarded(() => this.refuse('no hello came in time'), ends)
    this.#helloTimer = setTimeout(late, rest.limits.helloWithinMs)
    boundBytes(socket, { limit: frameLimitBeforeHello, applies: () => this.host === undefined, ends })
    webSocket.on(
      'message',
      guarded((message: RawData, isBinary: boolean) => this.#take(message, isBinary), ends),
    )
    webSocket.on(
      'pong',
      guarded(() => this.#pong(), ends),
    )
    webSocket.on(
      'error',
      guarded((error: Error) => this.#log.info({ reason: error.message }, 'agent connection broke'), ends),
    )
    webSocket.on(
      'close',
      guarded(() => this.#end(), ends),
    )
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

  /** Pings the agent to find out whether it is still connected. */
  answers(): Promise<boolean> {
    const socket = this.#webSocket
    if (socket.readyState !== socket.OPEN) return Promise.resolve(false)
    // A message is being recorded: the agent is connected, and its pong would not be read before that is done.
    if (this.#working) return Promise.resolve(true)
    return new Promise((resolve) => {
      const settle = (answer: boolean) => {
        clearTimeout(timer)
        socket.off('pong', heard)
        socket.off('close', gone)
        resolve(answer)
      }
      const ends = (thrown: unknown) => this.#fail(thrown)
      const heard = guarded(() => settle(true), ends)
      const gone = guarded(() => settle(false), ends)
      const timer = setTimeout(gone, answersWithinMs)
      socket.once('pong', heard)
      socket.once('close', gone)
      socket.ping()
    })
  }

  refuse(reason: string, code: number = closeCodes.refused): void {
    if (this.#webSocket.readyState !== this.#webSocket.OPEN) return
    this.#log.warn({ reason }, 'agent connection refused')
    this.send({ type: 'refused', reason, ...(code === closeCodes.copy ? { code: 'identity-shared' } : {}) })
    this.close(code, reason)
  }

  /** Closes with a short wait for the peer's answer: a removed host must be disconnected within seconds. */
  close(code: number, reason: string): void {
    this.#waiting.length = 0
    this.#webSocket.close(code, reason.slice(0, 120))
    const terminate = guarded(
      () => this.#webSocket.terminate(),
      (thrown) => this.#fail(thrown),
    )
    setTimeout(terminate, 1000).unref()
  }

  #pong(): void {
    this.#unansweredPings = 0
    // A pong counts as being heard: an agent in a ten-minute apply, or with a ten-minute check interval, is not offline.
    if (this.host !== undefined) this.#events.heard(this.host)
  }

  #fail(thrown: unknown): void {
    this.#log.error({ err: thrown }, 'an event handler failed: its connection is closed')
    this.#webSocket.terminate()
  }

  async #take(message: RawData, isBinary: boolean): Promise<void> {
    if (this.#webSocket.readyState !== this.#webSocket.OPEN) return
    if (isBinary) this.refuse('messages are JSON text')
    else if (!this.#spendAllowance()) this.refuse('too many messages', closeCodes.flood)
    else this.#waiting.push(textOf(message))
    if (!this.#working) return this.#work()
  }

  #spendAllowance(): boolean {
    const now = performance.now()
    const regained = ((now - this.#allowanceAt) / 1000) * this.#limits.messagesPerSecond
    this.#allowance = Math.min(this.#limits.burst, this.#allowance + regained) - 1
    this.#allowanceAt = now
    return this.#allowance >= 0
  }

  /** Pauses reading while a message is processed, so that TCP slows a fast sender instead of filling this server's memory. */
  async #work(): Promise<void> {
    this.#working = true
    this.#webSocket.pause()
    try {
      for (let text = this.#waiting.shift(); text !== undefined; text = this.#waiting.shift()) {
        const rows = await this.#hear(text)
        await this.#rest({ bytes: text.length, rows })
      }
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

  async #rest(cost: MessageCost): Promise<void> {
    const wait = this.host === undefined ? 0 : this.#events.waitAfter(this.host, cost)
    // At most as long as an answer to a ping is waited for.
    if (wait > 0) await delay(Math.min(wait, longestRestMs), undefined, { ref: false })
  }

  /** Resolves to the number of rows written. */
  async #hear(text: string): Promise<number> {
    const message = await parseMessage(text)
    if (message === undefined) this.refuse('not a message of this protocol')
    else if (message.type === 'hello') await this.#hearHello(message)
    else if (this.host === undefined) this.refuse('the first message must be hello')
    else if (message.type === 'report') return this.#hearReport(this.host, message.report)
    else {
      this.#events.heard(this.host)
      this.#events.checked(this.host)
      this.#events.clockSaid(this.host, { at: message.at, isFresh: true })
    }
    return 0
  }

  async #hearHello(hello: Extract<AgentMessage, { type: 'hello' }>): Promise<void> {
    if (this.host !== undefined) return this.refuse('hello was said already')
    if (hello.protocol !== protocolVersion) {
      return this.refuse(`this server speaks protocol ${protocolVersion}, the agent ${hello.protocol}`)
    }
    const key = await this.#events.publicKeyOf(hello.host)
    const signature = Buffer.from(hello.signature, 'base64')
    // One answer for both cases, so that host names cannot be probed.
    if (key === undefined || !isSignedBy(key, helloText(this.#nonce, hello.host), signature)) {
      return this.refuse('not an enrolled host, or not its key')
    }
    clearTimeout(this.#helloTimer)
    if (!(await this.#isKnownMachine(hello.host, key, hello.machine))) return
    this.machine = hello.machine
    this.host = hello.host
    this.#log = this.#log.child({ host: hello.host })
    this.#events.authenticated(this, hello.host)
    this.#events.heard(hello.host)
  }

  async #isKnownMachine(host: HostName, key: string, machine: Machine | undefined): Promise<boolean> {
    if (
      machine !== undefined &&
      !isSignedBy(key, machineText(this.#nonce, machine), Buffer.from(machine.signature, 'base64'))
    ) {
      this.refuse("the agent's machine is not signed by its key")
      return false
    }
    const sign = await this.#events.copySignOf(host, machine, this.#address)
    if (sign !== undefined) {
      this.#log.warn({ host, sign }, 'another machine uses the key of a host')
      this.refuse(`${host} is known as another machine`, closeCodes.copy)
    }
    // Meanwhile the agent may have disconnected, or the host been removed and enrolled with another key.
    const isCurrent = sign === undefined && (await this.#events.publicKeyOf(host)) === key
    if (sign === undefined && !isCurrent) this.refuse('the host was removed', closeCodes.removed)
    return isCurrent && this.#webSocket.readyState === this.#webSocket.OPEN
  }

  async #hearReport(host: HostName, report: Report): Promise<number> {
    if (report.host !== host) {
      this.refuse(`${host} may not report for ${report.host}`)
      return 0
    }
    this.#events.heard(host)
    const rows = await this.#events.received(report)
    if (rows === undefined) {
      this.refuse('the host was removed', closeCodes.removed)
      return 0
    }
    this.#events.checked(host)
    this.#events.clockSaid(host, { at: report.at, isFresh: false })
    this.send({ type: 'ack', report: report.id })
    return rows
  }

  #end(): void {
    clearTimeout(this.#helloTimer)
    this.#waiting.length = 0
    this.#events.closed(this)
  }
}
