// Whom the agent takes for its server: with a pinned certificate that one alone, whatever its names; else what the system's
// authorities vouch for. Without TLS only this machine itself.
import { X509Certificate } from 'node:crypto'
import tls from 'node:tls'
import { PlumbError } from '../../shared/problem.ts'

export type ServerTls = {
  readonly ca: string[]
  readonly allowPartialTrustChain: boolean
  readonly checkServerIdentity?: typeof tls.checkServerIdentity
}

/** Throws PlumbError `server-untrusted` for plain http to another machine: whoever sits in between could read and answer. */
export function serverUrl(server: string): URL {
  const url = URL.parse(server)
  if (url?.protocol === 'https:') return url
  if (url?.protocol === 'http:' && isThisMachine(url.hostname)) return url
  throw new PlumbError({
    code: 'server-untrusted',
    message: `${server} is not an https:// address. Without TLS a server is used on this machine alone.`,
    remedy: 'Start the server with --tls-self-signed, then install with the line it gives.',
  })
}

/** `certificate`: PEM. Throws PlumbError `usage` when it is none. */
export function serverTls(certificate: string | undefined): ServerTls {
  if (certificate === undefined) {
    const system = tls.getCACertificates('system')
    return { ca: system.length > 0 ? system : tls.getCACertificates('default'), allowPartialTrustChain: false }
  }
  const pinned = parsed(certificate)
  return {
    ca: [certificate],
    // One that an authority signed is pinned like one that signed itself: the authority is not asked.
    allowPartialTrustChain: true,
    checkServerIdentity: (_name, shown) => (pinned.raw.equals(shown.raw) ? undefined : new NotPinned()),
  }
}

/** Errors of a TLS handshake that mean: this is not the server that was pinned. */
export function isDistrust(error: unknown): boolean {
  if (error instanceof NotPinned) return true
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return /^(?:CERT_|ERR_TLS_CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|INVALID_CA|HOSTNAME_MISMATCH)/.test(code)
}

class NotPinned extends Error {
  override readonly message = 'the server shows another certificate than the pinned one'
}

function isThisMachine(name: string): boolean {
  return name === 'localhost' || name === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(name)
}

function parsed(certificate: string): X509Certificate {
  try {
    return new X509Certificate(certificate)
  } catch (cause) {
    const message = "The server's pinned certificate is not a PEM certificate."
    throw new PlumbError({ code: 'usage', message, remedy: 'Run plumb install again with --certificate.' }, { cause })
  }
}
