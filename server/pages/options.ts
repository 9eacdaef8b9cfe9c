// What the pages need from the server around them.
import type { Context } from 'hono'
import type { HoldRequest } from '../../shared/hold.ts'
import type { HostName } from '../../shared/names.ts'
import type { Placed } from '../holds.ts'
import type { EnrolView, Views } from '../show/views.ts'

export type PageOptions = {
  readonly views: Views
  /** May this request read? Operators may always. */
  readonly readAccess: (c: Context) => boolean | Promise<boolean>
  /** Does this request carry an operator's session? */
  readonly operator: (c: Context) => boolean | Promise<boolean>
  /** Starts a session (sets its cookie on `c`) when the token is the operator's; false when it is not. */
  readonly signIn: (c: Context, token: string) => boolean | Promise<boolean>
  readonly signOut: (c: Context) => void | Promise<void>
  /** `host` undefined: the token enrols any one host that is not enrolled. */
  readonly createEnrolment: (host?: string) => Promise<EnrolView>
  /** Asks every connected agent to sync. */
  readonly syncAll: () => Promise<{ readonly asked: number }>
  readonly placeHold: (request: HoldRequest) => Promise<Placed>
  /** For one host, or for all. False: it was over. */
  readonly releaseHold: (id: string, host?: HostName) => Promise<boolean>
  /** Told of every error that became an error page; the page shows the reference. */
  readonly failed: (error: unknown, reference: string) => void
  readonly now: () => Date
  /** How browsers reach this server, when that differs from what its own socket sees: behind a proxy. */
  readonly publicUrl?: string | undefined
  /** A client has to be given this server's certificate. */
  readonly selfSigned?: boolean
}
