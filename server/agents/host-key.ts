// Parses the Ed25519 key of an enrolled host and verifies its signatures.
import { createPublicKey, type KeyObject, verify } from 'node:crypto'

/** Undefined unless it is an Ed25519 public key in SPKI DER, base64. */
export function parseHostKey(base64: string): KeyObject | undefined {
  try {
    const key = createPublicKey({ key: Buffer.from(base64, 'base64'), format: 'der', type: 'spki' })
    return key.asymmetricKeyType === 'ed25519' ? key : undefined
  } catch {
    return undefined
  }
}

export function isSignedBy(publicKey: string, text: string, signature: Buffer): boolean {
  const key = parseHostKey(publicKey)
  return key !== undefined && signature.length === 64 && verify(null, Buffer.from(text), key, signature)
}
