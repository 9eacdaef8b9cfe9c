// Enrolment: a one-time token and this host's public key -> a host the server knows.
import http from 'node:http'
import https from 'node:https'
import type { HostName } from '../../shared/names.ts'
import { PlumbError } from '../../shared/problem.ts'
import { type EnrolRequest, enrolPath, enrolResponseSchema, httpProblemSchema } from '../../shared/protocol.ts'
import { ensureIdentity } from './identity.ts'
import { isDistrust, serverTls, serverUrl } from './server-tls.ts'

export type Enrolment = {
  readonly server: string
  readonly token: string
  readonly host: HostName
  readonly stateDirectory: string
  /** PEM of the one certificate the server may show. */
  readonly certificate?: string
}

/** Throws PlumbError `token-refused`, `server-unreachable` or `server-untrusted`; this host is then as it was, but for its key. */
export async function enrol({ server, token, host, stateDirectory, certificate }: Enrolment): Promise<void> {
  const url = new URL(enrolPath, serverUrl(server))
  const { publicKey } = await ensureIdentity(stateDirectory)
  const answer = await post(url, { token, host, publicKey }, certificate)
  const isOk = answer.status >= 200 && answer.status < 300
  if (isOk && enrolResponseSchema.safeParse(json(answer.body)).data?.host === host) return
  const told = httpProblemSchema.safeParse(json(answer.body)).data?.error
  if (isOk || told === undefined || answer.status >= 500) throw notAServer(url, answer.status, told?.message)
  throw new PlumbError({
    code: 'token-refused',
    message: `${url.origin} did not enrol ${host}: ${told.message}`.slice(0, 4000),
    remedy: (told.remedy ?? 'Make a new install line on the server.').slice(0, 2000),
  })
}

type Answer = { readonly status: number; readonly body: string }

const answerLimitBytes = 64 * 1024

function post(url: URL, request: EnrolRequest, certificate: string | undefined): Promise<Answer> {
  const isSecure = url.protocol === 'https:'
  const options = {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    signal: AbortSignal.timeout(30_000),
    ...(isSecure ? serverTls(certificate) : {}),
  }
  return new Promise((resolve, reject) => {
    const call = (isSecure ? https : http).request(url, options, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        body += chunk
        if (body.length > answerLimitBytes) call.destroy(new Error('it answered with far too much'))
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }))
      response.on('error', (error) => reject(notReached(url, error)))
    })
    call.on('error', (error) =>
      reject(notReached(url, options.signal.aborted ? new Error('no answer in time') : error)),
    )
    call.end(JSON.stringify(request))
  })
}

function notReached({ origin }: URL, error: Error): PlumbError {
  if (isDistrust(error))
    return new PlumbError(
      {
        code: 'server-untrusted',
        message: `${origin} is not the server it should be: ${error.message}.`,
        remedy:
          'Take the install line from the server again. If it did not change its certificate, somebody is in between.',
      },
      { cause: error },
    )
  // Several addresses of one name were tried, and the error for all of them has no text.
  const said = error.message || (error instanceof AggregateError ? String(error.errors.at(-1)) : error.name)
  return new PlumbError(
    {
      code: 'server-unreachable',
      message: `${origin} cannot be reached: ${said}.`,
      remedy: 'Check the address and the network, then run it again: the token is still good.',
    },
    { cause: error },
  )
}

function notAServer({ origin }: URL, status: number, told: string | undefined): PlumbError {
  return new PlumbError({
    code: 'server-unreachable',
    message:
      `${origin} answered ${status}${told === undefined ? ', and not as a Plumbline server does' : `: ${told}`}`.slice(
        0,
        4000,
      ),
    remedy: 'Check the address, and the log of the server.',
  })
}

function json(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
