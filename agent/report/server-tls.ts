// Whom the agent takes for its server: with a pinned certificate that one alone, whatever its names; else what the system's authorities vouch for.
import { X509Certificate } from 'node:crypto'
import tls from 'node:tls'
import { PlumbError } from '../../shared/problem.ts'

export type ServerTls = {
  readonly ca: string[]
  readonly checkServerIdentity?: typeof tls.checkServerIdentity
}

/** `certificate`: PEM. Throws PlumbError `usage` when it is none. */
export function serverTls(certificate: string | undefined): ServerTls {
  if (certificate === undefined) {
    const system = tls.getCACertificates('system')
    return { ca: system.length > 0 ? system : tls.getCACertificates('default') }
  }
  const pinned = parsed(certificate)
  return {
    ca: [certificate],
    checkServerIdentity: (_name, shown) =>
      pinned.raw.equals(shown.raw) ? undefined : new Error('the server shows another certificate than the pinned one'),
  }
}

/** Errors of a TLS handshake that mean: this is not the server that was pinned. */
export function isDistrust(error: NodeJS.ErrnoException): boolean {
  const code = error.code ?? ''
  return (
    code.startsWith('CERT_') ||
    code.startsWith('ERR_TLS_') ||
    /SELF_SIGNED|UNABLE_TO_|pinned/.test(code + error.message)
  )
}

function parsed(certificate: string): X509Certificate {
  try {
    return new X509Certificate(certificate)
  } catch (cause) {
    const message = "The server's pinned certificate is not a PEM certificate."
    throw new PlumbError({ code: 'usage', message, remedy: 'Run plumb install again with --certificate.' }, { cause })
  }
}
