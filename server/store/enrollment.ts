// Enrollment tokens (only their hashes) and refused attempts, which open an alert.
import { type HostName, hostNameSchema } from '../../shared/names.ts'
import { present } from './rows.ts'
import type { Db } from './tables.ts'

export type EnrollmentToken = {
  readonly id: number
  readonly host?: HostName
  readonly usesLeft: number
  readonly expiresAt: string
}

export type RefusedEnrollment = {
  readonly cause: string
  readonly host: HostName
  readonly reason: string
  readonly address: string
  readonly lastAt: string
}

export type NewToken = {
  readonly hash: string
  readonly host: HostName | undefined
  readonly uses: number
  readonly createdAt: string
  readonly expiresAt: string
}

export async function insertToken(db: Db, token: NewToken): Promise<void> {
  await db
    .insertInto('enrolment_tokens')
    .values({
      hash: token.hash,
      host: token.host ?? null,
      uses_left: token.uses,
      created_at: token.createdAt,
      expires_at: token.expiresAt,
    })
    .execute()
}

export async function findToken(db: Db, hash: string): Promise<EnrollmentToken | undefined> {
  const row = await db.selectFrom('enrolment_tokens').selectAll().where('hash', '=', hash).executeTakeFirst()
  if (row === undefined) return undefined
  return {
    id: row.id,
    usesLeft: row.uses_left,
    expiresAt: row.expires_at,
    ...present('host', row.host === null ? undefined : hostNameSchema.parse(row.host)),
  }
}

/** Takes one use; false when none is left. One statement, so that concurrent clients cannot take more uses than there are. */
export async function takeTokenUse(db: Db, id: number, now: string): Promise<boolean> {
  const taken = await db
    .updateTable('enrolment_tokens')
    .set((row) => ({ uses_left: row('uses_left', '-', 1) }))
    .where('id', '=', id)
    .where('uses_left', '>', 0)
    .where('expires_at', '>', now)
    .executeTakeFirst()
  return taken.numUpdatedRows === 1n
}

/** Expires all valid tokens at `now`; returns how many. */
export async function endTokens(db: Db, now: string): Promise<number> {
  const ended = await db
    .updateTable('enrolment_tokens')
    .set({ expires_at: now })
    .where('expires_at', '>', now)
    .where('uses_left', '>', 0)
    .executeTakeFirst()
  return Number(ended.numUpdatedRows)
}

/** Tokens are kept for a while after their end, so that a late use is distinguished from a guess. */
export async function forgetTokens(db: Db, expiredBefore: string): Promise<void> {
  await db.deleteFrom('enrolment_tokens').where('expires_at', '<', expiredBefore).execute()
}

export async function saveRefusal(db: Db, refusal: RefusedEnrollment): Promise<void> {
  const seen = { host: refusal.host, reason: refusal.reason, address: refusal.address, last_at: refusal.lastAt }
  await db
    .insertInto('refused_enrolments')
    .values({ cause: refusal.cause, ...seen })
    .onConflict((conflict) => conflict.column('cause').doUpdateSet(seen))
    .execute()
}

export async function listRefusals(db: Db): Promise<readonly RefusedEnrollment[]> {
  const rows = await db.selectFrom('refused_enrolments').selectAll().orderBy('cause').execute()
  return rows.map((row) => ({
    cause: row.cause,
    host: hostNameSchema.parse(row.host),
    reason: row.reason,
    address: row.address,
    lastAt: row.last_at,
  }))
}

export async function forgetRefusals(db: Db, before: string): Promise<void> {
  await db.deleteFrom('refused_enrolments').where('last_at', '<', before).execute()
}

export async function forgetRefusalsOf(db: Db, host: HostName): Promise<void> {
  await db.deleteFrom('refused_enrolments').where('host', '=', host).execute()
}
