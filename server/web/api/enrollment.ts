// Enrollment over HTTP: a token for a host's key; tokens made and hosts removed by the operator.
import type { Logger } from 'pino'
import type { HostName } from '../../../shared/names.ts'
import { enrollRequestSchema, enrollResponseSchema } from '../../../shared/protocol.ts'
import { type EnrollOutcome, tokenRequestSchema } from '../../agents/enroll.ts'
import { addressOf } from '../arrival.ts'
import { notFound, RefusedRequest } from '../errors.ts'
import { hostParameter } from '../parameters.ts'
import type { WebParts } from '../parts.ts'
import { apiPost, apiRoute, type Route } from '../route.ts'
import { enrollmentSchema, namedHostSchema } from './answers.ts'

export type EnrollmentParts = Pick<WebParts, 'log' | 'enrollments' | 'hosts' | 'clientAddress'>

export function enrollmentRoutes({ log, enrollments, hosts, clientAddress }: EnrollmentParts): readonly Route[] {
  const unknownHost = (name: string) => `enrolled host "${name}"`
  return [
    apiPost({
      path: '/api/v1/agents/enrol',
      role: 'anyone',
      attempts: 'enrollments',
      body: enrollRequestSchema,
      answer: enrollResponseSchema,
      status: 201,
      async handler({ context, body }) {
        const address = addressOf(context, clientAddress)
        const outcome = await enrollments.enroll(body, address)
        return enrolled(outcome, { log, host: body.host, address })
      },
    }),
    apiPost({
      path: '/api/v1/enrolment-tokens',
      role: 'operator',
      body: tokenRequestSchema,
      answer: enrollmentSchema,
      status: 201,
      handler: ({ body }) => enrollments.create(body),
    }),
    apiRoute('DELETE', {
      path: '/api/v1/hosts/:host',
      role: 'operator',
      answer: namedHostSchema,
      async handler({ context }) {
        const host = hostParameter(context, unknownHost)
        if (!(await hosts.remove(host))) throw notFound(unknownHost(host))
        return { host }
      },
    }),
    apiRoute('DELETE', {
      path: '/api/v1/hosts/:host/machine',
      role: 'operator',
      answer: namedHostSchema,
      async handler({ context }) {
        const host = hostParameter(context, unknownHost)
        if (!(await hosts.forgetMachine(host))) throw notFound(unknownHost(host))
        return { host }
      },
    }),
  ]
}

type Asking = { readonly log: Logger; readonly host: HostName; readonly address: string }

function enrolled(outcome: EnrollOutcome, { log, host, address }: Asking): { host: HostName } {
  const about = { host, from: address }
  switch (outcome.kind) {
    case 'enrolled':
      log.info(about, 'host enrolled')
      return { host }
    case 'key-invalid':
      throw new RefusedRequest({
        status: 400,
        code: 'usage',
        message: 'The key is no Ed25519 key in SPKI DER, base64.',
      })
    case 'host-known':
      log.warn({ ...about, reason: 'the host is enrolled already' }, 'enrollment refused')
      throw new RefusedRequest({
        status: 403,
        code: 'token-refused',
        message: `A host is enrolled as ${host} already, and a token never replaces one.`,
        remedy: `If it is this machine, remove that host on the server first: DELETE /api/v1/hosts/${host}`,
      })
    case 'refused':
      log.warn({ ...about, reason: outcome.reason }, 'enrollment refused')
      throw new RefusedRequest({
        status: 403,
        code: 'token-refused',
        message: 'The enrollment token was refused.',
        remedy: "Make a new install line. The server's log says why this one was refused.",
      })
  }
}
