// Enrollments as the web side asks for them: tokens as install lines, and machines that use them.
import { compact } from '../../../shared/compact.ts'
import type { EnrollRequest } from '../../../shared/protocol.ts'
import { type Enrollment, type EnrollOutcome, enrollHost, issueToken, type TokenRequest } from '../../agents/enroll.ts'
import type { Clock } from '../../app/clock.ts'
import type { EventFeed } from '../../app/events.ts'
import type { Db } from '../../store/tables.ts'
import type { Artifacts } from './artifacts.ts'
import { installLine, installWarning, type ServerKey } from './install-line.ts'

export type Enrollments = {
  create(request: TokenRequest): Promise<Enrollment>
  enroll(request: EnrollRequest, address: string): Promise<EnrollOutcome>
  /** Is there an agent that a bare host could install? */
  hasAgent(): Promise<boolean>
}

export type EnrollmentsParts = {
  readonly db: Db
  readonly clock: Clock
  readonly artifacts: Artifacts
  /** How hosts reach the server, and the key they pin. */
  readonly server: URL
  readonly key: ServerKey
  readonly events: EventFeed
}

export function createEnrollments({ db, clock, artifacts, server, key, events }: EnrollmentsParts): Enrollments {
  const hasAgent = async () => (await artifacts.list()).length > 0
  return {
    hasAgent,
    async create(request) {
      const { token, expiresAt } = await issueToken(db, request, clock)
      const warning = installWarning(server, { hasAgent: await hasAgent() })
      const line = installLine(server, key, token, request.host)
      return { token, installLine: line, expiresAt, ...compact({ warning }) }
    },
    async enroll(request, address) {
      const outcome = await enrollHost(db, request, { clock, address })
      const { host } = request
      const isEnrolled = outcome.kind === 'enrolled'
      if (isEnrolled) events.emit({ kind: 'host-heard', host })
      events.emit({ kind: 'enrollment-tried', host, isEnrolled })
      return outcome
    },
  }
}
