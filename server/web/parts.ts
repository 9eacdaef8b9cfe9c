// What the web side needs of the server around it. Each thing has the name that it has in its own room.
import type { Logger } from 'pino'
import type { Clock } from '../app/clock.ts'
import type { EventFeed } from '../app/events.ts'
import type { Holds } from '../app/holds.ts'
import type { KnownHosts } from '../app/known-hosts.ts'
import type { ServerLoop } from '../app/loop.ts'
import type { ClientAddress } from '../client-address.ts'
import type { Mirror } from '../repository/mirror.ts'
import type { Sandbox } from '../settings.ts'
import type { Views } from '../show/views.ts'
import type { RecordingProblem } from '../store/recording.ts'
import type { Access } from './access.ts'
import type { Enrollments } from './install/enrollments.ts'
import type { Install } from './install/install.ts'
import type { RoleParts } from './roles.ts'

export type WebParts = Pick<RoleParts, 'hostOf'> & {
  readonly log: Logger
  readonly clock: Pick<Clock, 'now'>
  readonly access: Access
  readonly views: Views
  readonly events: EventFeed
  /** Ends open event streams. */
  readonly closing: AbortSignal
  /** How hosts and browsers reach this server. */
  readonly publicUrl: URL
  /** As the operator gave it; undefined: what a browser asked for is how it reaches this server. */
  readonly statedUrl: URL | undefined
  readonly clientAddress: ClientAddress
  readonly version: string
  /** Anyone on this machine may read, so that other names for it are refused. */
  readonly answersOwnNamesOnly: boolean
  readonly loop: Pick<ServerLoop, 'syncAll' | 'syncHost'>
  readonly hosts: KnownHosts
  readonly holds: Pick<Holds, 'place' | 'release'>
  readonly enrollments: Enrollments
  readonly install: Install
  readonly mirror: Mirror
  /** Why nothing is recorded now, and since when; undefined while all is. */
  recordingProblem(): Promise<RecordingProblem | undefined>
  /** Alerts go to somebody, or to nobody on purpose. */
  isNotified(): Promise<boolean>
  readonly sandboxes: ReadonlyMap<string, Sandbox>
  /** A client has to be given this server's certificate. */
  readonly selfSigned: boolean
}
