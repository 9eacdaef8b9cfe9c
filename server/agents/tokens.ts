// Random tokens: what is handed out is shown once, what is kept is its SHA-256.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

export function randomToken(prefix: string): string {
  return `${prefix}_${randomBytes(32).toString('base64url')}`
}

export function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}

/** In constant time: both sides are hashes of the same length. */
export function isToken(presented: string, expectedHash: string): boolean {
  return timingSafeEqual(Buffer.from(hashOf(presented)), Buffer.from(expectedHash))
}
