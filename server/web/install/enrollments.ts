// Enrollments as the web side asks for them: tokens as install lines, and machines that use them.
import type { HostName } from '../../../shared/names.ts'
import type { EnrolRequest } from '../../../shared/protocol.ts'
import { type Enrollment, type EnrollOutcome, enrolHost, issueToken, type TokenRequest } from '../../agents/enrol.ts'
import type { Clock } from '../../app/clock.ts'
import type { Db } from '../../store/tables.ts'
import type { Artifacts } from './artifacts.ts'
import { installLine, installWarning, type ServerKey } from './install-line.ts'

export type Enrollments = {
  create(request: TokenRequest): Promise<Enrollment>
  enroll(request: EnrolRequest, address: string): Promise<EnrollOutcome>
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
  /** An enrollment was made or refused. */
  tried(host: HostName, outcome: EnrollOutcome): void
}

export function createEnrollments({ db, clock, artifacts, server, key, tried }: EnrollmentsParts): Enrollments {
  const hasAgent = async () => (await artifacts.list()).length > 0
  return {
    hasAgent,
    async create(request) {
      const { token, expiresAt } = await issueToken(db, request, clock)
      const warning = installWarning(server, { hasAgent: await hasAgent() })
      const line = installLine(server, key, token, request.host)
      return { token, installLine: line, expiresAt, ...(warning === undefined ? {} : { warning }) }
    },
    async enroll(request, address) {
      const outcome = await enrolHost(db, request, { clock, address })
      tried(request.host, outcome)
      return outcome
    },
  }
}
