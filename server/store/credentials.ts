// Ends the sessions and enrollment tokens that were made with an operator token when that token is replaced.
import { createHash } from 'node:crypto'
import { endTokens } from './enrollment.ts'
import { deleteSessions } from './sessions.ts'
import type { Db } from './tables.ts'

export type Ended = {
  readonly sessions: number
  readonly enrollmentTokens: number
  /** False: they were made by an earlier version, which did not record the operator token. */
  readonly isReplaced: boolean
}

/**
 * Called at start, before any request is served. `now`: ISO 8601. Undefined when the token is unchanged since the last
 * start.
 */
export async function endWorkOfReplacedToken(
  db: Db,
  operatorTokenHash: string,
  now: string,
): Promise<Ended | undefined> {
  const name = 'operator-token'
  const fingerprint = createHash('sha256').update(`plumb-credential-v1\n${operatorTokenHash}`).digest('hex')
  return db.transaction().execute(async (transaction) => {
    const known = await transaction.selectFrom('credentials').selectAll().where('name', '=', name).executeTakeFirst()
    if (known?.fingerprint === fingerprint) return undefined
    await transaction
      .insertInto('credentials')
      .values({ name, fingerprint })
      .onConflict((conflict) => conflict.column('name').doUpdateSet({ fingerprint }))
      .execute()
    return {
      sessions: await deleteSessions(transaction),
      enrollmentTokens: await endTokens(transaction, now),
      isReplaced: known !== undefined,
    }
  })
}
