// Who may read and who may change: the operator by token or session, CI by its own token that can do one thing.
import type { Context } from 'hono'
import { deleteCookie, getCookie, setCookie } from 'hono/cookie'
import { hashOf, isToken, randomToken } from '../agents/tokens.ts'
import { type Clock, later } from '../app/clock.ts'
import { isFromThisMachine } from '../client-address.ts'
import type { Viewers } from '../settings.ts'
import { deleteSession, insertSession, isSessionOpen } from '../store/sessions.ts'
import type { Db } from '../store/tables.ts'
import { arrivalOf } from './arrival.ts'

export type Access = {
  mayRead(context: Context): Promise<boolean>
  isOperator(context: Context): Promise<boolean>
  maySync(context: Context): Promise<boolean>
  /** Starts a session when the token is the operator's. */
  signIn(context: Context, token: string): Promise<boolean>
  signOut(context: Context): Promise<void>
  /** Of the session or token that the request is proved by; undefined when it proves nothing. */
  personOf(context: Context): Promise<string | undefined>
  /** True when the request carries a session, which a browser sends by itself. */
  hasSession(context: Context): boolean
}

export type AccessParts = {
  readonly db: Db
  readonly clock: Clock
  readonly operatorTokenHash: string
  readonly syncTokenHash: string
  readonly viewers: Viewers
  /** The address browsers use is https. */
  readonly secure: boolean
}

const sessionMs = 7 * 24 * 3600_000

export function createAccess(parts: AccessParts): Access {
  const { db, clock } = parts
  // `__Host-` is a promise of the browser that no other site and no plain http set it.
  const cookie = parts.secure ? '__Host-plumb' : 'plumb'
  const attributes = { path: '/', httpOnly: true, sameSite: 'Strict', secure: parts.secure } as const
  const bears = (context: Context, hash: string) => {
    const token = bearerToken(context)
    return token !== undefined && isToken(token, hash)
  }
  const inSession = async (context: Context) => {
    const session = getCookie(context, cookie)
    return session !== undefined && (await isSessionOpen(db, hashOf(session), clock.now().toISOString()))
  }
  const access: Access = {
    mayRead: async (context) => isViewer(context, parts.viewers) || (await access.isOperator(context)),
    isOperator: async (context) => bears(context, parts.operatorTokenHash) || (await inSession(context)),
    maySync: async (context) => bears(context, parts.syncTokenHash) || (await access.isOperator(context)),
    async personOf(context) {
      if (!(await access.isOperator(context))) return undefined
      return hashOf(getCookie(context, cookie) ?? bearerToken(context) ?? '')
    },
    hasSession: (context) => getCookie(context, cookie) !== undefined,
    async signIn(context, token) {
      if (!isToken(token.trim(), parts.operatorTokenHash)) return false
      const session = randomToken('session')
      const now = clock.now()
      await insertSession(db, hashOf(session), now.toISOString(), later(now, sessionMs).toISOString())
      setCookie(context, cookie, session, { ...attributes, maxAge: sessionMs / 1000 })
      return true
    },
    async signOut(context) {
      const session = getCookie(context, cookie)
      if (session !== undefined) await deleteSession(db, hashOf(session))
      deleteCookie(context, cookie, attributes)
    },
  }
  return access
}

function isViewer(context: Context, viewers: Viewers): boolean {
  if (viewers !== 'this-machine') return viewers === 'anyone'
  const arrival = arrivalOf(context)
  return arrival !== undefined && isFromThisMachine(arrival)
}

function bearerToken(context: Context): string | undefined {
  return /^Bearer +(\S+)$/i.exec(context.req.header('authorization') ?? '')?.[1]
}
