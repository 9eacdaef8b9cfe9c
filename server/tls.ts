// The server's certificate: one that was given, or one it makes for itself once and keeps.
import { createPublicKey, X509Certificate } from 'node:crypto'
import { existsSync, mkdirSync } from 'node:fs'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { generate } from 'selfsigned'
import { replaceDurably } from '../shared/platform/durable.ts'
import { readRegularFile } from '../shared/platform/regular-file.ts'
import { publicKeyPin } from '../shared/platform/tls.ts'
import { PlumbError } from '../shared/problem.ts'
import type { ServerSettings } from './settings.ts'
import type { ServerKey } from './web/install/install-line.ts'

export type Certificate = {
  readonly key: string
  readonly certificate: string
  readonly serverKey: ServerKey
  /** PEM for hosts to trust, when no authority vouches for it. */
  readonly forHosts: string | undefined
}

/** Undefined: plain http. */
export async function certificateFor(settings: ServerSettings, now: Date): Promise<Certificate | undefined> {
  const { tls, data, listen, publicUrl } = settings
  switch (tls.kind) {
    case 'none':
      return undefined
    case 'files':
      return readCertificate(tls.certificate, tls.key)
    case 'self-signed': {
      const names = [publicUrl?.hostname, listen.host, 'localhost', '127.0.0.1'].filter((name) => name !== undefined)
      const specific = names.filter((name) => name !== '0.0.0.0' && name !== '::')
      return ownCertificate(join(data, 'tls'), [...new Set(specific)], now)
    }
  }
}

function readCertificate(certificateFile: string, keyFile: string): Certificate {
  try {
    return described(readRegularFile(keyFile).text, readRegularFile(certificateFile).text)
  } catch (thrown) {
    throw new PlumbError(
      {
        code: 'usage',
        message: `the certificate cannot be used: ${thrown instanceof Error ? thrown.message : String(thrown)}`,
        where: { file: certificateFile },
        remedy: 'Give a PEM certificate and its PEM key with --tls-cert and --tls-key, or use --tls-self-signed.',
      },
      { cause: thrown },
    )
  }
}

/** Good for ten years and these names. A name that is missing later, or the end, makes a new certificate for the same key: hosts pin the key. */
async function ownCertificate(directory: string, names: readonly string[], now: Date): Promise<Certificate> {
  const [keyFile, certificateFile] = [join(directory, 'key.pem'), join(directory, 'certificate.pem')]
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  if (existsSync(certificateFile) && existsSync(keyFile)) {
    const known = readCertificate(certificateFile, keyFile)
    const isEnding = new X509Certificate(known.certificate).validToDate.getTime() - now.getTime() < renewalMs
    if (!isEnding && names.every((name) => isNamed(known.certificate, name))) return known
  }
  const made = await makeCertificate(names, now, existsSync(keyFile) ? readRegularFile(keyFile).text : undefined)
  await replaceDurably([
    { path: keyFile, content: made.private },
    { path: certificateFile, content: made.cert, mode: 0o644 },
  ])
  return described(made.private, made.cert)
}

const renewalMs = 365 * 24 * 3600_000

async function makeCertificate(names: readonly string[], now: Date, key: string | undefined) {
  const altNames = names.map((name) =>
    isIP(name) === 0 ? ({ type: 2, value: name } as const) : ({ type: 7, ip: name } as const),
  )
  const notAfterDate = new Date(now)
  notAfterDate.setFullYear(now.getFullYear() + 10)
  const keyPair = key === undefined ? {} : { keyPair: { privateKey: key, publicKey: publicKeyOf(key) } }
  return generate([{ name: 'commonName', value: names[0] ?? 'plumbline' }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    // A day of slack for hosts whose clocks are behind.
    notBeforeDate: new Date(now.getTime() - 24 * 3600_000),
    notAfterDate,
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', digitalSignature: true, keyCertSign: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      { name: 'subjectAltName', altNames },
    ],
    ...keyPair,
  })
}

function publicKeyOf(privateKey: string): string {
  return createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }).toString()
}

function isNamed(certificate: string, name: string): boolean {
  const parsed = new X509Certificate(certificate)
  return (isIP(name) === 0 ? parsed.checkHost(name) : parsed.checkIP(name)) !== undefined
}

function described(key: string, certificate: string): Certificate {
  const parsed = new X509Certificate(certificate)
  const selfSigned = parsed.checkIssued(parsed)
  return {
    key,
    certificate,
    serverKey: { kind: selfSigned ? 'self-signed' : 'certified', pin: publicKeyPin(parsed) },
    forHosts: selfSigned ? certificate : undefined,
  }
}
