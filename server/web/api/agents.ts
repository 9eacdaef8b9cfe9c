// Enrolment over HTTP: a token for a host's key; tokens made and hosts removed by the operator.
import { type Context, Hono, type MiddlewareHandler } from 'hono'
import type { Logger } from 'pino'
import { type HostName, hostNameSchema } from '../../../shared/names.ts'
import { type EnrolRequest, enrolRequestSchema } from '../../../shared/protocol.ts'
import type { Enrolment, TokenRequest } from '../../agents/enrol.ts'
import { tokenRequestSchema } from '../../agents/enrol.ts'
import { jsonBody } from '../body.ts'
import { notFound, RefusedRequest } from '../errors.ts'

export type AgentParts = {
  readonly log: Logger
  readonly operatorOnly: MiddlewareHandler
  enrol(request: EnrolRequest, address: string): Promise<Enrolment>
  /** The token as a line to run on a bare host. */
  invite(request: TokenRequest): Promise<Invitation>
  removeHost(host: HostName): Promise<boolean>
  /** False: no such host is enrolled. */
  forgetMachine(host: HostName): Promise<boolean>
  addressOf(context: Context): string
}

export type Invitation = {
  readonly token: string
  readonly installLine: string
  readonly expiresAt: string
  readonly warning?: string
}

export function agentRoutes(parts: AgentParts): Hono {
  const routes = new Hono()
  routes.post('/agents/enrol', async (context) => {
    const request = await jsonBody(context, enrolRequestSchema)
    const address = parts.addressOf(context)
    const enrolment = await parts.enrol(request, address)
    const about = { host: request.host, from: address }
    switch (enrolment.kind) {
      case 'enrolled':
        parts.log.info(about, 'host enrolled')
        return context.json({ host: request.host }, 201)
      case 'key-invalid':
        throw new RefusedRequest({
          status: 400,
          code: 'usage',
          message: 'The key is no Ed25519 key in SPKI DER, base64.',
        })
      case 'host-known':
        parts.log.warn({ ...about, reason: 'the host is enrolled already' }, 'enrolment refused')
        throw new RefusedRequest({
          status: 403,
          code: 'token-refused',
          message: `A host is enrolled as ${request.host} already, and a token never replaces one.`,
          remedy: `If it is this machine, remove that host on the server first: DELETE /api/v1/hosts/${request.host}`,
        })
      case 'refused':
        parts.log.warn({ ...about, reason: enrolment.reason }, 'enrolment refused')
        throw new RefusedRequest({
          status: 403,
          code: 'token-refused',
          message: 'The enrolment token was refused.',
          remedy: "Make a new install line. The server's log says why this one was refused.",
        })
    }
  })
  routes.post('/enrolment-tokens', parts.operatorOnly, async (context) => {
    const invitation = await parts.invite(await jsonBody(context, tokenRequestSchema))
    return context.json(invitation, 201)
  })
  routes.delete('/hosts/:host', parts.operatorOnly, async (context) => {
    const name = context.req.param('host')
    const host = hostNameSchema.safeParse(name)
    if (!host.success || !(await parts.removeHost(host.data))) throw notFound(`enrolled host "${name}"`)
    return context.json({ host: host.data })
  })
  routes.delete('/hosts/:host/machine', parts.operatorOnly, async (context) => {
    const name = context.req.param('host')
    const host = hostNameSchema.safeParse(name)
    if (!host.success || !(await parts.forgetMachine(host.data))) throw notFound(`enrolled host "${name}"`)
    return context.json({ host: host.data })
  })
  return routes
}
