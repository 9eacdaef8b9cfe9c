// Signed-in browsers. Only the hash of a session's id is stored.
import type { Db } from './tables.ts'

export async function insertSession(db: Db, hash: string, createdAt: string, expiresAt: string): Promise<void> {
  await db.deleteFrom('sessions').where('expires_at', '<', createdAt).execute()
  await db.insertInto('sessions').values({ hash, created_at: createdAt, expires_at: expiresAt }).execute()
}

export async function isSessionOpen(db: Db, hash: string, now: string): Promise<boolean> {
  const row = await db
    .selectFrom('sessions')
    .select('hash')
    .where('hash', '=', hash)
    .where('expires_at', '>', now)
    .executeTakeFirst()
  return row !== undefined
}

export async function deleteSession(db: Db, hash: string): Promise<void> {
  await db.deleteFrom('sessions').where('hash', '=', hash).execute()
}

/** Ends all sessions; returns how many there were. */
export async function deleteSessions(db: Db): Promise<number> {
  const deleted = await db.deleteFrom('sessions').executeTakeFirst()
  return Number(deleted.numDeletedRows)
}
