// The agent's one connection to its server: dials out, proves who it is, sends what the spool holds, and hears two asks. Always
// trying; a server that is away stops nothing else.
import https from 'node:https'
import { WebSocket } from 'ws'
import type { HostName } from '../../shared/names.ts'
import {
  type AgentMessage,
  agentSocketPath,
  frameLimit,
  helloText,
  pingEverySeconds,
  protocolVersion,
  type ServerMessage,
  serverMessageSchema,
} from '../../shared/protocol.ts'
import type { Report } from '../../shared/report.ts'
import type { Identity } from './identity.ts'
import { serverTls } from './server-tls.ts'
import type { Spool } from './spool.ts'

export type ConnectionParts = {
  readonly server: string
  /** PEM of the one certificate the server may show. */
  readonly certificate?: string
  readonly host: HostName
  readonly identity: Identity
  readonly agentVersion: string
  readonly spool: Spool
  readonly asked: (what: 'sync' | 'check') => void
  /** `connected`, `lost: <reason>`, `refused: <reason>`: for the log. */
  readonly noted: (event: string) => void
  /** In [0, 1). */
  readonly random: () => number
  readonly delays?: ConnectionDelays
}

export type ConnectionDelays = { readonly firstMs: number; readonly mostMs: number }

const usualDelays: ConnectionDelays = { firstMs: 1000, mostMs: 60_000 }

export class ServerConnection {
  readonly #parts: ConnectionParts
  #socket: WebSocket | undefined
  #retry: NodeJS.Timeout | undefined
  #watchdog: NodeJS.Timeout | undefined
  #failures = 0
  #isWelcome = false
  #isClosed = false
  #sent: string | undefined

  constructor(parts: ConnectionParts) {
    this.#parts = parts
    this.#dial()
  }

  /** The report is in the spool; or, with nothing new to say, undefined: a word that this host is there. */
  publish(report: Report | undefined): void {
    if (report !== undefined) this.#parts.spool.add(report)
    if (!this.#isWelcome) return
    if (report === undefined) this.#send({ type: 'heartbeat', at: new Date().toISOString() })
    else this.#sendNext()
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#retry)
    clearTimeout(this.#watchdog)
    this.#socket?.terminate()
  }

  #dial(): void {
    const { server, certificate } = this.#parts
    const url = new URL(agentSocketPath, server)
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
    const socket = new WebSocket(url, {
      ...(url.protocol === 'wss:' ? { agent: new https.Agent(serverTls(certificate)) } : {}),
      handshakeTimeout: 15_000,
      maxPayload: frameLimit,
      perMessageDeflate: false,
      followRedirects: false,
    })
    this.#socket = socket
    let reason = 'the server closed it'
    socket.on('error', (error) => {
      reason = error.message
    })
    socket.on('open', () => this.#watch())
    socket.on('ping', () => this.#watch())
    socket.on('message', (data, isBinary) => {
      this.#watch()
      if (!isBinary) this.#hear(String(data))
    })
    socket.on('close', () => this.#lost(reason))
  }

  /** Full jitter: a thousand agents that lost one server do not come back in one second. */
  #lost(reason: string): void {
    clearTimeout(this.#watchdog)
    this.#isWelcome = false
    this.#sent = undefined
    if (this.#isClosed) return
    if (this.#failures === 0) this.#parts.noted(`lost: ${reason}`)
    const { firstMs, mostMs } = this.#parts.delays ?? usualDelays
    const ceiling = Math.min(firstMs * 2 ** this.#failures, mostMs)
    this.#failures = Math.min(this.#failures + 1, 20)
    this.#retry = setTimeout(() => this.#dial(), ceiling * this.#parts.random())
  }

  /** A connection that is dead without saying so is noticed by the pings that do not come. */
  #watch(): void {
    clearTimeout(this.#watchdog)
    this.#watchdog = setTimeout(() => this.#socket?.terminate(), pingEverySeconds * 2500)
  }

  #hear(text: string): void {
    const message = parsed(text)
    switch (message?.type) {
      case undefined:
        this.#parts.noted('a message of the server that this agent does not know was ignored')
        break
      case 'challenge':
        this.#sayHello(message.nonce)
        break
      case 'welcome':
        this.#failures = 0
        this.#isWelcome = true
        this.#parts.noted('connected')
        this.#sendNext()
        break
      case 'ack':
        this.#parts.spool.acknowledge(message.report)
        this.#sent = undefined
        this.#sendNext()
        break
      case 'sync':
      case 'check':
        this.#parts.asked(message.type)
        break
      case 'refused':
        this.#parts.noted(`refused: ${message.reason}`)
        break
    }
  }

  #sayHello(nonce: string): void {
    const { host, identity, agentVersion } = this.#parts
    const signature = identity.sign(helloText(nonce, host)).toString('base64')
    this.#send({ type: 'hello', protocol: protocolVersion, host, agentVersion, signature })
  }

  /** One at a time: the next goes out when the server has the one before. */
  #sendNext(): void {
    const report = this.#parts.spool.next()
    if (report === undefined || this.#sent === report.id) return
    if (this.#sent !== undefined && report.apply !== undefined) return
    this.#sent = report.id
    this.#send({ type: 'report', report })
  }

  #send(message: AgentMessage): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message))
  }
}

function parsed(text: string): ServerMessage | undefined {
  try {
    return serverMessageSchema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}
