// Enrollment: exchanges a token for a host with its own key. A token never replaces or reveals an existing host.
import { z } from 'zod'
import { type HostName, hostNameSchema } from '../../shared/names.ts'
import type { EnrollRequest } from '../../shared/protocol.ts'
import { absoluteTime } from '../../shared/time-text.js'
import { type Clock, later } from '../app/clock.ts'
import { findToken, forgetTokens, insertToken, saveRefusal, takeTokenUse } from '../store/enrollment.ts'
import { insertTransitions } from '../store/history.ts'
import { findHost, insertHost } from '../store/hosts.ts'
import type { Db } from '../store/tables.ts'
import { parseHostKey } from './host-key.ts'
import { hashOf, randomToken } from './tokens.ts'

export const tokenRequestSchema = z.strictObject({
  host: hostNameSchema.optional(),
  uses: z.number().int().min(1).max(10_000).default(1),
  ttlMinutes: z
    .number()
    .int()
    .min(1)
    .max(60 * 24 * 30)
    .default(30),
})

export type TokenRequest = z.infer<typeof tokenRequestSchema>

/** A token, and the install line that uses it on a bare machine. */
export type Enrollment = {
  readonly token: string
  readonly installLine: string
  readonly expiresAt: string
  readonly warning?: string
}

export type EnrollOutcome =
  | { readonly kind: 'enrolled' }
  | { readonly kind: 'key-invalid' }
  /** `reason` is for the log, not for the client; `isAlerted`: the attempt opens an alert. */
  | { readonly kind: 'refused'; readonly reason: string; readonly isAlerted: boolean }
  | { readonly kind: 'host-known' }

/** How long an ended token is remembered, so that a late use is recognized. */
const rememberTokensMs = 30 * 24 * 3600_000

export async function issueToken(
  db: Db,
  request: TokenRequest,
  clock: Clock,
): Promise<Pick<Enrollment, 'token' | 'expiresAt'>> {
  const now = clock.now()
  const token = randomToken('plumb')
  const expiresAt = later(now, request.ttlMinutes * 60_000).toISOString()
  await forgetTokens(db, later(now, -rememberTokensMs).toISOString())
  await insertToken(db, {
    hash: hashOf(token),
    host: request.host,
    uses: request.uses,
    createdAt: now.toISOString(),
    expiresAt,
  })
  return { token, expiresAt }
}

export async function enrollHost(
  db: Db,
  request: EnrollRequest,
  { clock, address }: { readonly clock: Clock; readonly address: string },
): Promise<EnrollOutcome> {
  if (parseHostKey(request.publicKey) === undefined) return { kind: 'key-invalid' }
  const at = clock.now().toISOString()
  return db.transaction().execute(async (transaction) => {
    const token = await findToken(transaction, hashOf(request.token))
    if (token === undefined) return { kind: 'refused', reason: 'no such token was ever issued', isAlerted: false }
    const known = await findHost(transaction, request.host)
    // A retry by the host itself, which did not get the first answer: its token is already used up.
    if (known?.publicKey === request.publicKey) return { kind: 'enrolled' }
    const refuse = async (cause: string, reason: string) =>
      saveRefusal(transaction, { cause, host: request.host, reason, address, lastAt: at })
    const ended = endOf(token, request.host, at)
    if (ended !== undefined) {
      await refuse(`token:${token.id}`, ended)
      return { kind: 'refused', reason: ended, isAlerted: true }
    }
    if (known !== undefined) {
      await refuse(`host:${request.host}`, 'the host is enrolled already')
      return { kind: 'host-known' }
    }
    if (!(await takeTokenUse(transaction, token.id, at))) {
      return { kind: 'refused', reason: 'another client took the last use at the same moment', isAlerted: false }
    }
    await insertHost(transaction, request.host, request.publicKey, at)
    await insertTransitions(transaction, request.host, [{ at, to: 'enrolled' }])
    return { kind: 'enrolled' }
  })
}

type TokenLife = { readonly host?: HostName; readonly usesLeft: number; readonly expiresAt: string }

function endOf(token: TokenLife, host: HostName, now: string): string | undefined {
  if (token.expiresAt <= now) return `the token expired at ${absoluteTime(token.expiresAt)}`
  if (token.usesLeft <= 0) return 'the token is used up'
  if (token.host !== undefined && token.host !== host) return `the token was made for ${token.host}`
  return undefined
}
