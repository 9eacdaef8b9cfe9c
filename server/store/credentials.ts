// What was made with a credential ends with it: sessions and enrollment tokens of an operator token that was replaced.
import { createHash } from 'node:crypto'
import { endTokens } from './enrollment.ts'
import { deleteSessions } from './sessions.ts'
import type { Db } from './tables.ts'

export type Ended = {
  readonly sessions: number
  readonly enrollmentTokens: number
  /** False: a server of before this was noted has made them, with a token that is not known. */
  readonly isReplaced: boolean
}

/** At the start, before anything is answered. `now`: ISO 8601. Undefined while the token is the one of the last start. */
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
