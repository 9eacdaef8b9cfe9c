// The agent's one connection to its server: dials out, proves who it is, sends what the spool holds, and hears what the
// server asks. Always trying; a server that is away, or is hostile, stops nothing else.
import { WebSocket } from 'ws'
import type { ServerHold } from '../../shared/hold.ts'
import type { HostName } from '../../shared/names.ts'
import { problemLine, problemsOf } from '../../shared/problem.ts'
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
import { type MachineMarker, signedMachine } from './machine.ts'
import { serverAgent, serverUrl } from './server-tls.ts'
import type { Spool } from './spool.ts'

export type ConnectionParts = {
  readonly server: string
  /** PEM of a certificate with the one key the server may have. */
  readonly certificate?: string
  readonly host: HostName
  readonly identity: Identity
  readonly machine: MachineMarker
  readonly agentVersion: string
  readonly spool: Spool
  readonly asked: (what: 'sync' | 'check') => void
  /** All that the server wants held on this host. */
  readonly held: (holds: readonly ServerHold[]) => void
  /** The server refused this machine as a copy of the one it knows, or took it (again). */
  readonly takenForCopy: (isCopy: boolean) => void
  /** `connected`, `lost: <reason>`, `refused: <reason>`: for the log. */
  readonly noted: (event: string) => void
  /** In [0, 1). */
  readonly random: () => number
  readonly delays?: Partial<ConnectionDelays>
}

export type ConnectionDelays = {
  /** The ceiling of the first wait; it doubles with every failure. */
  readonly firstMs: number
  readonly mostMs: number
  /** The ceiling after a server that answered, and refused. */
  readonly refusedMs: number
  /** A connection on which nothing was heard for so long is dead. */
  readonly silenceMs: number
  /** A report that is not acknowledged for so long is sent again on a new connection. */
  readonly acknowledgedMs: number
}

const usualDelays: ConnectionDelays = {
  firstMs: 1000,
  mostMs: 30_000,
  refusedMs: 300_000,
  silenceMs: pingEverySeconds * 2500,
  acknowledgedMs: 60_000,
}

/** One dialled socket and how far it has come; messages that do not belong to the stage are not acted on. */
type Session = {
  readonly socket: WebSocket
  stage: 'dialled' | 'hello-said' | 'welcome'
  /** Of the report that is on its way. */
  sent: string | undefined
  refused: boolean
  /** It lasted: the server took a report, or pinged after the welcome. One that only opens doors and shuts them did not. */
  proven: boolean
  /** Why it ended, as far as this side knows. */
  reason: string
  silence: NodeJS.Timeout | undefined
  acknowledgement: NodeJS.Timeout | undefined
}

export class ServerConnection {
  readonly #parts: ConnectionParts
  readonly #delays: ConnectionDelays
  #session: Session | undefined
  #retry: NodeJS.Timeout | undefined
  #failures = 0
  #isClosed = false
  #noted = ''
  /** How often the server refused with this report on its way. */
  #poison: { readonly id: string; readonly times: number } | undefined

  constructor(parts: ConnectionParts) {
    this.#parts = parts
    this.#delays = { ...usualDelays, ...parts.delays }
    this.#dial()
  }

  /** A report for the spool; or, with nothing new to say, undefined: a word that this host is there. */
  publish(report: Report | undefined): void {
    if (report !== undefined) this.#parts.spool.add(report)
    if (this.#session?.stage !== 'welcome') return
    if (report === undefined) this.#send(this.#session, { type: 'heartbeat', at: new Date().toISOString() })
    else this.#sendNext(this.#session)
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#retry)
    if (this.#session === undefined) return
    this.#stopTimers(this.#session)
    this.#session.socket.terminate()
  }

  #dial(): void {
    const socket = this.#open()
    if (socket === undefined) return
    const session: Session = {
      socket,
      stage: 'dialled',
      sent: undefined,
      refused: false,
      proven: false,
      reason: 'the server closed it',
      silence: undefined,
      acknowledgement: undefined,
    }
    this.#session = session
    const heard = () => this.#heard(session)
    socket.on('error', (error) => {
      session.reason = error.message
    })
    socket.on('open', heard)
    socket.on('ping', () => {
      heard()
      session.proven ||= session.stage === 'welcome'
    })
    socket.on('message', (frame, isBinary) => {
      heard()
      this.#hear(session, isBinary ? undefined : parsed(String(frame)))
    })
    socket.on('close', (_code, reason) => this.#lost(session, reason.toString('utf8')))
  }

  /** Undefined when this host's own settings forbid it: then trying again is of no use before a restart. */
  #open(): WebSocket | undefined {
    const { server, certificate } = this.#parts
    try {
      const url = new URL(agentSocketPath, serverUrl(server))
      const secure = url.protocol === 'https:'
      url.protocol = secure ? 'wss:' : 'ws:'
      return new WebSocket(url, {
        ...(secure ? { agent: serverAgent(certificate) } : {}),
        handshakeTimeout: 15_000,
        maxPayload: frameLimit,
        perMessageDeflate: false,
        followRedirects: false,
      })
    } catch (error) {
      this.#note(`not dialled: ${problemsOf(error).map(problemLine).join('; ')}`)
      return undefined
    }
  }

  /** Full jitter: a thousand agents that lost one server do not come back in one second. */
  #lost(session: Session, said: string): void {
    this.#stopTimers(session)
    if (this.#isClosed || this.#session !== session) return
    this.#session = undefined
    if (session.refused) this.#countPoison(session.sent)
    else this.#note(`lost: ${said === '' ? session.reason : said}`)
    if (session.proven) this.#failures = 0
    const { firstMs, mostMs, refusedMs } = this.#delays
    const ceiling = session.refused ? refusedMs : Math.min(firstMs * 2 ** this.#failures, mostMs)
    this.#failures = Math.min(this.#failures + 1, 20)
    this.#retry = setTimeout(() => this.#dial(), ceiling * this.#parts.random())
  }

  /** One report that the server refuses must not keep all later ones from it. */
  #countPoison(id: string | undefined): void {
    if (id === undefined) return
    const times = this.#poison?.id === id ? this.#poison.times + 1 : 1
    this.#poison = { id, times }
    if (times < 3) return
    this.#parts.spool.giveUp(id)
    this.#note(`report ${id} was refused ${times} times and is given up`)
  }

  /** A connection that is dead without saying so is noticed by the server's pings that do not come. */
  #heard(session: Session): void {
    clearTimeout(session.silence)
    session.silence = setTimeout(() => this.#abandon(session, 'nothing was heard for too long'), this.#delays.silenceMs)
  }

  #hear(session: Session, message: ServerMessage | undefined): void {
    if (this.#isClosed || this.#session !== session) return
    switch (message?.type) {
      case undefined:
        this.#note('a message of the server that this agent does not know was ignored')
        break
      case 'challenge':
        if (session.stage === 'dialled') this.#sayHello(session, message.nonce)
        break
      case 'welcome':
        if (session.stage === 'hello-said') this.#begin(session)
        break
      case 'ack':
        if (session.stage === 'welcome') this.#acknowledged(session, message.report)
        break
      case 'sync':
      case 'check':
        if (session.stage === 'welcome') this.#parts.asked(message.type)
        break
      case 'holds':
        if (session.stage === 'welcome') this.#parts.held(message.holds)
        break
      case 'refused':
        session.refused = true
        if (message.code === 'identity-shared') this.#parts.takenForCopy(true)
        this.#note(`refused: ${message.reason}`)
        session.socket.close()
        break
    }
  }

  /** Only once per connection, so that no server gets this host's signature under two texts. */
  #sayHello(session: Session, nonce: string): void {
    const { host, identity, agentVersion, machine: marker } = this.#parts
    session.stage = 'hello-said'
    const signature = identity.sign(helloText(nonce, host)).toString('base64')
    const machine = signedMachine(marker, nonce, identity)
    this.#send(session, { type: 'hello', protocol: protocolVersion, host, agentVersion, signature, machine })
  }

  #begin(session: Session): void {
    session.stage = 'welcome'
    this.#parts.takenForCopy(false)
    this.#note('connected')
    this.#sendNext(session)
  }

  /** One at a time: the next goes out when the server has the one before. */
  #sendNext(session: Session): void {
    if (session.sent !== undefined) return
    const report = this.#parts.spool.next()
    if (report === undefined) return
    session.sent = report.id
    this.#send(session, { type: 'report', report })
    const late = () => this.#abandon(session, `report ${report.id} was not acknowledged in time`)
    session.acknowledgement = setTimeout(late, this.#delays.acknowledgedMs)
  }

  #acknowledged(session: Session, id: string): void {
    this.#parts.spool.acknowledge(id)
    session.proven = true
    if (session.sent !== id) return
    clearTimeout(session.acknowledgement)
    session.sent = undefined
    this.#sendNext(session)
  }

  #abandon(session: Session, reason: string): void {
    session.reason = reason
    session.socket.terminate()
  }

  #stopTimers(session: Session): void {
    clearTimeout(session.silence)
    clearTimeout(session.acknowledgement)
  }

  #send({ socket }: Session, message: AgentMessage): void {
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message))
  }

  /** The same again and again is said once: a server that is away for a night does not fill a log. */
  #note(event: string): void {
    if (event !== this.#noted) this.#parts.noted(event)
    this.#noted = event
  }
}

function parsed(text: string): ServerMessage | undefined {
  try {
    return serverMessageSchema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}
