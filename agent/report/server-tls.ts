// Which servers the agent trusts: with a pinned certificate the holder of its key, under any name; else those certified by the
// system's authorities. Plain http is accepted only on this machine.

import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import https from 'node:https'
import { splitAddress } from '../../shared/address.ts'
import { errnoOf } from '../../shared/errno.ts'
import { NotPinned, pinnedAgent, systemAuthorities } from '../../shared/platform/tls.ts'
import { PlumbError } from '../../shared/problem.ts'

/**
 * Throws PlumbError `server-untrusted` for plain http to another machine, which an attacker in between could read and
 * forge.
 */
export function serverUrl(server: string): URL {
  const { url: address, credentials } = splitAddress(server)
  if (credentials !== undefined)
    throw new PlumbError({
      code: 'usage',
      message: `${address} is given with a user and password, which a Plumbline server does not take.`,
      remedy: 'Give the address without them. Hosts show their key, operators the operator token.',
    })
  const url = URL.parse(address)
  if (url?.protocol === 'https:') return url
  if (url?.protocol === 'http:' && isThisMachine(url.hostname)) return url
  throw new PlumbError({
    code: 'server-untrusted',
    message: `${address} is not an https:// address. Without TLS a server is used on this machine alone.`,
    remedy: 'Start the server with --tls-self-signed, then install with the line it gives.',
  })
}

/** Reads the PEM file named by an option. Throws PlumbError `usage`. */
export async function certificateIn(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    const code = errnoOf(cause) ?? 'unknown error'
    throw new PlumbError(
      {
        code: 'usage',
        message: `the certificate cannot be read (${code}).`,
        where: { file },
        remedy: `The server keeps it as ${ownCertificate}.`,
      },
      { cause },
    )
  }
}

/** `certificate`: PEM of the server's certificate. Throws PlumbError `usage` when it is not one. */
export function serverAgent(certificate: string | undefined): https.Agent {
  if (certificate !== undefined) return pinnedAgent(parsed(certificate))
  return new https.Agent({ ca: systemAuthorities() })
}

/** Where a server with --tls-self-signed keeps its certificate. */
const ownCertificate = 'tls/certificate.pem in its data directory'

/** For an error that satisfies `isDistrust`; `isPinned`: a certificate was given. */
export function distrusted(origin: string, error: Error, { isPinned }: { readonly isPinned: boolean }): PlumbError {
  // Node's own advice (command line options) does not apply here.
  const said = error.message.replace(/; if the root CA is installed locally.*$/s, '')
  return new PlumbError(
    {
      code: 'server-untrusted',
      message: `${origin} is not the server it should be: ${said}.`,
      remedy: isPinned
        ? 'Take the certificate, or the install line, from the server again. If it did not change its key, another machine intercepts the connection.'
        : `If it is self-signed, name its certificate: --certificate FILE. The server keeps it as ${ownCertificate}.`,
    },
    { cause: error },
  )
}

/** Errors of a TLS handshake that mean: this is not the server that was pinned. */
export function isDistrust(error: unknown): boolean {
  if (error instanceof NotPinned) return true
  const code = errnoOf(error) ?? ''
  return /^(?:CERT_|ERR_TLS_CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|INVALID_CA|HOSTNAME_MISMATCH)/.test(code)
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
