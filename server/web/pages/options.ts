// What the pages need from the server around them.
import type { Context } from 'hono'
import type { HoldRequest } from '../../../shared/hold.ts'
import type { HostName } from '../../../shared/names.ts'
import type { Problem } from '../../../shared/problem.ts'
import type { Placed } from '../../app/holds.ts'
import type { EnrolView, Views } from '../../show/views.ts'
import type { RecordingProblem } from '../../store/recording.ts'

export type PageOptions = {
  readonly views: Views
  /** May this request read? Operators may always. */
  readonly readAccess: (c: Context) => boolean | Promise<boolean>
  /** Does this request carry an operator's session? */
  readonly operator: (c: Context) => boolean | Promise<boolean>
  /** Starts a session (sets its cookie on `c`) when the token is the operator's; false when it is not. */
  readonly signIn: (c: Context, token: string) => boolean | Promise<boolean>
  readonly signOut: (c: Context) => void | Promise<void>
  /** Is there an agent that a bare host could install? */
  readonly hasAgent: () => Promise<boolean>
  /** `host` undefined: the token enrols any one host that is not enrolled. */
  readonly createEnrolment: (host?: string) => Promise<EnrolView>
  /** Asks every connected agent to sync. */
  readonly syncAll: () => Promise<{ readonly asked: number }>
  /** Asks this host's agent to sync; false: it is not connected. */
  readonly syncHost: (host: HostName) => Promise<boolean>
  readonly placeHold: (request: HoldRequest) => Promise<Placed>
  /** For one host, or for all. False: it was over. */
  readonly releaseHold: (id: string, host?: HostName) => Promise<boolean>
  /** Told of every error that became an error page; the page shows the reference. */
  readonly failed: (error: unknown, reference: string) => void
  /** Why nothing is recorded now, and since when; undefined while all is. */
  readonly recordingProblem: () => Promise<RecordingProblem | undefined>
  /** Undefined: the error is about something else. */
  readonly recordingProblemOf: (error: unknown) => Problem | undefined
  /** Alerts go to somebody, or to nobody on purpose. */
  readonly isNotified: () => Promise<boolean>
  readonly now: () => Date
  /** How browsers reach this server, when that differs from what its own socket sees: behind a proxy. */
  readonly publicUrl?: string | undefined
  /** A client has to be given this server's certificate. */
  readonly selfSigned?: boolean
}
