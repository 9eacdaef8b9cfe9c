// One HTTP request to the server, with authentication, a deadline and a bounded answer.
import { BodyTooLarge, basicAuthorization, sendRequest, wholeBody } from '../../shared/platform/http.ts'
import { PlumbError } from '../../shared/problem.ts'
import { httpProblemSchema } from '../../shared/protocol.ts'
import { distrusted, isDistrust, serverAgent } from './server-tls.ts'

export type ServerRequest = {
  readonly url: URL
  /** Sent as JSON; without it the request is a GET, unless `method` says otherwise. */
  readonly body?: object | undefined
  readonly method?: 'DELETE' | undefined
  /** An operator's token. */
  readonly token?: string | undefined
  /** PEM of a certificate with the one key the server may have. */
  readonly certificate?: string | undefined
  readonly credentials?: { readonly username: string; readonly password: string } | undefined
  /** The remedy of the error when the server does not answer. */
  readonly remedy: string
  /** Default 1 MiB. */
  readonly answerLimitBytes?: number | undefined
}

export type ServerAnswer =
  | { readonly kind: 'answered'; readonly status: number; readonly json: unknown }
  /** A refusal in the API's error format. */
  | {
      readonly kind: 'refused'
      readonly status: number
      readonly message: string
      readonly remedy?: string | undefined
    }

/** Throws PlumbError `server-unreachable` or `server-untrusted`. */
export async function requestServer(asking: ServerRequest): Promise<ServerAnswer> {
  const { status, body } = await exchange(asking)
  if (status >= 200 && status < 300) return { kind: 'answered', status, json: json(body) }
  const problem = httpProblemSchema.safeParse(json(body)).data?.error
  if (problem === undefined || status >= 500) throw notAServer(asking.url, status, problem?.message)
  return { kind: 'refused', status, message: problem.message, remedy: problem.remedy }
}

export function notAServer({ origin }: URL, status: number, reason?: string): PlumbError {
  const message = `${origin} answered ${status}${reason === undefined ? ', not in the format of a Plumbline server' : `: ${reason}`}`
  return new PlumbError({
    code: 'server-unreachable',
    message: message,
    remedy: 'Check the address, and the log of the server.',
  })
}

const defaultLimitBytes = 1024 * 1024
const deadlineMs = 30_000

async function exchange(asking: ServerRequest): Promise<{ readonly status: number; readonly body: string }> {
  const { url, certificate, body, method, answerLimitBytes = defaultLimitBytes } = asking
  try {
    const response = await sendRequest({
      url,
      method,
      headers: headersOf(asking),
      body: body === undefined ? undefined : JSON.stringify(body),
      deadlineMs,
      agent: url.protocol === 'https:' ? serverAgent(certificate) : undefined,
    })
    return { status: response.status, body: (await wholeBody(response, answerLimitBytes)).toString('utf8') }
  } catch (error) {
    if (error instanceof PlumbError) throw error
    throw notReached(asking, error instanceof BodyTooLarge ? new Error('it answered with far too much') : error)
  }
}

function headersOf({ body, token, credentials }: ServerRequest): Readonly<Record<string, string>> {
  return {
    accept: 'application/json',
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...(credentials === undefined ? {} : { authorization: basicAuthorization(credentials) }),
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  }
}

function notReached({ url: { origin }, certificate, remedy }: ServerRequest, thrown: unknown): PlumbError {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown))
  if (isDistrust(error)) return distrusted(origin, error, { isPinned: certificate !== undefined })
  // When several addresses of a name fail, the combined error has no message of its own.
  const said = error.message || (error instanceof AggregateError ? String(error.errors.at(-1)) : error.name)
  return new PlumbError(
    { code: 'server-unreachable', message: `${origin} cannot be reached: ${said}.`, remedy },
    { cause: error },
  )
}

function json(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
