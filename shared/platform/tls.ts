// TLS: the authorities of this machine, and servers that are known by their public key. Whatever names and dates a certificate has that
// such a server makes for its key later, it is the same server; it is identified before a byte of a request is sent.
// Decision: docs/decisions/2026-11-30-pinned-key-after-the-handshake.md
import { createHash, type X509Certificate } from 'node:crypto'
import https from 'node:https'
import type { Duplex } from 'node:stream'
import tls, { TLSSocket } from 'node:tls'
import { absoluteTime } from '../time-text.js'
import { guarded } from './guarded.ts'

export type PinnedOptions = https.AgentOptions & {
  /** A server with another key is trusted as its authority and its name say. Default: not at all. */
  readonly orElseByAuthority?: boolean
}

/** Of the system, and node's own where it has none. */
export function systemAuthorities(): string[] {
  const system = tls.getCACertificates('system')
  return system.length > 0 ? system : tls.getCACertificates('default')
}

/** The SHA-256 of the public key, as `curl --pinnedpubkey sha256//...` takes it. */
export function publicKeyPin(certificate: X509Certificate): string {
  const key = certificate.publicKey.export({ type: 'spki', format: 'der' })
  return createHash('sha256').update(key).digest('base64')
}

/** `certificate`: any that was made for the key. */
export function pinnedAgent(certificate: X509Certificate, options: PinnedOptions = {}): https.Agent {
  return new PinnedAgent(certificate, options)
}

export class NotPinned extends Error {}

const handshakeMs = 30_000

type Connected = (error: Error | null, stream: Duplex) => void

class PinnedAgent extends https.Agent {
  readonly #pin: string
  readonly #orElseByAuthority: boolean

  constructor(certificate: X509Certificate, { orElseByAuthority = false, ...options }: PinnedOptions) {
    // A session that is taken up again shows no certificate.
    super({ ...options, maxCachedSessions: 0 })
    this.#pin = publicKeyPin(certificate)
    this.#orElseByAuthority = orElseByAuthority
  }

  /** Not `rejectUnauthorized`: it would end a connection before the key was looked at. */
  override createConnection(options: https.RequestOptions, connected?: Connected): Duplex | null | undefined {
    const done = (error: Error | null, stream: Duplex) => connected?.(error, stream)
    let isJudged = false
    const judge = (error: Error | null, stream: Duplex | undefined) => {
      if (isJudged) return
      isJudged = true
      if (stream instanceof TLSSocket && error === null) this.#whenSecure(stream, done)
      else done(error ?? new Error('no connection'), stream as Duplex)
    }
    const made = super.createConnection({ ...options, rejectUnauthorized: false }, judge)
    if (made !== null && made !== undefined && !isWayToProxy(made)) judge(null, made)
    return undefined
  }

  #whenSecure(socket: TLSSocket, done: Connected): void {
    const fail = (error: unknown) => {
      socket.destroy()
      done(error instanceof Error ? error : new Error(String(error)), socket)
    }
    const failed = guarded(fail, fail)
    const late = guarded(
      () => socket.destroy(Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' })),
      fail,
    )
    const secure = guarded(() => {
      socket.setTimeout(0)
      socket.off('timeout', late)
      socket.off('error', failed)
      const fault = this.#faultOf(socket)
      if (fault === undefined) return done(null, socket)
      socket.destroy()
      done(fault, socket)
    }, fail)
    socket.setTimeout(handshakeMs, late)
    socket.once('error', failed)
    if (isHandshaking(socket)) socket.once('secureConnect', secure)
    else secure()
  }

  #faultOf(socket: TLSSocket): Error | undefined {
    const shown = socket.getPeerX509Certificate()
    const isPinned = shown !== undefined && publicKeyPin(shown) === this.#pin
    if (shown !== undefined && isPinned) return periodFault(shown)
    if (!this.#orElseByAuthority) return new NotPinned('the server shows another key than the pinned one')
    if (socket.authorized) return undefined
    const code = String(socket.authorizationError)
    return Object.assign(new NotPinned(`its certificate is not trusted (${code})`), { code })
  }
}

/** The connection to the server comes later then, by the callback. node marks it so; were it not, the proxy's key would be refused. */
function isWayToProxy(socket: Duplex): boolean {
  if (!(socket instanceof TLSSocket)) return true
  return Object.getOwnPropertySymbols(socket).some(({ description }) => description === 'kWaitForProxyTunnel')
}

function isHandshaking(socket: TLSSocket): boolean {
  return 'secureConnecting' in socket && socket.secureConnecting === true
}

function periodFault({ validFromDate, validToDate }: X509Certificate): Error | undefined {
  const now = new Date()
  if (now > validToDate) return withCode('CERT_HAS_EXPIRED', `its certificate ended at ${absoluteTime(validToDate)}`)
  if (now < validFromDate)
    return withCode('CERT_NOT_YET_VALID', `its certificate begins at ${absoluteTime(validFromDate)}`)
  return undefined
}

function withCode(code: string, message: string): Error {
  return Object.assign(new Error(message), { code })
}
