// Random tokens: the token is shown once, only its SHA-256 is stored.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

export function randomToken(prefix: string): string {
  return `${prefix}_${randomBytes(32).toString('base64url')}`
}

export function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}

/** Constant-time comparison: both sides are hashes of the same length. */
export function isToken(presented: string, expectedHash: string): boolean {
  return timingSafeEqual(Buffer.from(hashOf(presented)), Buffer.from(expectedHash))
}
