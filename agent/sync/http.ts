// HTTP client for isomorphic-git, whose own client has no deadlines and, since Node 19, disconnects after 5 idle seconds.
import { X509Certificate } from 'node:crypto'
import http from 'node:http'
import https from 'node:https'
import { atMost, basicAuthorization, type HttpResponse, sendRequest } from '../../shared/platform/http.ts'
import { pinnedAgent, systemAuthorities } from '../../shared/platform/tls.ts'
import { PlumbError } from '../../shared/problem.ts'
import type { Address } from './address.ts'
import { later, unreachable, unreachableByCode } from './reasons.ts'

/** The interface that isomorphic-git requires. */
export type HttpCall = {
  readonly url: string
  readonly method?: string | undefined
  readonly headers?: Record<string, string> | undefined
  readonly body?: AsyncIterable<Uint8Array> | Iterable<Uint8Array> | undefined
}

export type HttpAnswer = {
  readonly url: string
  readonly method: string
  readonly statusCode: number
  readonly statusMessage: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: AsyncIterableIterator<Uint8Array>
}

/** Extracts a part of the response body while it is read. */
export type BodyFilter = (body: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>

export type GitHttp = {
  request(call: HttpCall, filter?: BodyFilter): Promise<HttpAnswer>
  /** The same client, whose requests end when the signal aborts. */
  within(stop: AbortSignal): GitHttp
  /** Closes idle connections; the next request opens one again and resumes its TLS session. */
  rest(): void
}

export type HttpLimits = {
  /** Longest wait for the next byte, the first included. */
  readonly idleSeconds: number
  /** For one request and its answer. */
  readonly totalSeconds: number
  readonly bodyBytes: number
  /** Bound of the filtered body, which is held in memory. */
  readonly heldBytes: number
}

const mebibyte = 1024 * 1024
const defaultLimits: HttpLimits = {
  idleSeconds: 30,
  totalSeconds: 900,
  bodyBytes: 512 * mebibyte,
  heldBytes: 32 * mebibyte,
}

/** Every failure is a PlumbError `repository-unreachable` that says why. */
export function createGitHttp(
  address: Extract<Address, { kind: 'http' }>,
  certificate: string | undefined,
  limits: HttpLimits = defaultLimits,
): GitHttp {
  const origin = new URL(address.url).origin
  const agents = createAgents(certificate)
  // As git does: after the first request was redirected, later ones go directly to the new address.
  let moved: { readonly from: string; readonly to: string } | undefined
  let active = 0
  const client = (stop: AbortSignal | undefined): GitHttp => ({
    request: (call, filter) => {
      active += 1
      return answered(call, { filter, stop }).finally(() => {
        active -= 1
      })
    },
    within: (also) => client(stop === undefined ? also : AbortSignal.any([stop, also])),
    rest: () => {
      moved = undefined
      // `destroy` also aborts a response that another sync of this process is still reading.
      if (active === 0) agents.destroy()
    },
  })
  return client(undefined)

  async function answered(call: HttpCall, { filter, stop }: Pick<Sent, 'filter' | 'stop'>): Promise<HttpAnswer> {
    const body = call.body === undefined ? undefined : await gathered(call.body)
    let url = new URL(
      moved !== undefined && call.url.startsWith(moved.from) ? moved.to + call.url.slice(moved.from.length) : call.url,
    )
    for (let redirects = 0; redirects <= 5; redirects += 1) {
      const headers = { ...call.headers, ...authorization(address, url.origin === origin) }
      const sent = { url, method: call.method ?? 'GET', headers, body, filter, stop }
      const answer = await send(sent, agents.for(url), limits).catch((error) => {
        if (error instanceof PlumbError) throw error
        throw (
          unreachableByCode(address.url, error) ??
          unreachable(address.url, { why: String(error), remedy: later }, error)
        )
      })
      const target = redirectOf(answer, url, body !== undefined)
      if (target === undefined) return answer
      if (url.protocol === 'https:' && target.protocol !== 'https:')
        throw unreachable(address.url, {
          why: 'it sends on to an address without TLS',
          remedy: 'Correct the address.',
        })
      moved = baseMove(call.url, target) ?? moved
      url = target
    }
    throw unreachable(address.url, { why: 'it sends on from address to address', remedy: 'Correct the address.' })
  }
}

function authorization(address: Extract<Address, { kind: 'http' }>, sameOrigin: boolean): Record<string, string> {
  const given = sameOrigin ? address.credentials?.() : undefined
  return given === undefined ? {} : { authorization: basicAuthorization(given) }
}

function redirectOf(answer: HttpAnswer, from: URL, hasBody: boolean): URL | undefined {
  const location = answer.headers['location']
  const followed = hasBody ? [307, 308] : [301, 302, 303, 307, 308]
  return location !== undefined && followed.includes(answer.statusCode) ? new URL(location, from) : undefined
}

function baseMove(from: string, to: URL): { from: string; to: string } | undefined {
  const tail = '/info/refs?service=git-upload-pack'
  if (!from.endsWith(tail) || !to.href.endsWith(tail)) return undefined
  return { from: from.slice(0, -tail.length), to: to.href.slice(0, -tail.length) }
}

type Sent = {
  readonly url: URL
  readonly method: string
  readonly headers: Record<string, string>
  readonly body: Buffer | undefined
  readonly filter: BodyFilter | undefined
  readonly stop: AbortSignal | undefined
}

/** Reads the whole response first, so that an aborted one is an error here and never a partial pack. */
async function send(call: Sent, agent: http.Agent | https.Agent, limits: HttpLimits): Promise<HttpAnswer> {
  const response = await sendRequest({
    ...call,
    agent,
    idleMs: limits.idleSeconds * 1000,
    deadlineMs: limits.totalSeconds * 1000,
  })
  try {
    const chunks = await read(response, call.filter, limits)
    const { status: statusCode, statusText: statusMessage, headers } = response
    return { url: call.url.href, method: call.method, statusCode, statusMessage, headers, body: released(chunks) }
  } catch (error) {
    response.destroy()
    throw error
  }
}

async function read(
  response: HttpResponse,
  filter: BodyFilter | undefined,
  { bodyBytes, heldBytes }: HttpLimits,
): Promise<Uint8Array[]> {
  const body = atMost(response.body, bodyBytes)
  const kept = filter !== undefined && response.status === 200 ? filter(body) : body
  const chunks: Uint8Array[] = []
  for await (const chunk of atMost(kept, heldBytes)) chunks.push(chunk)
  return chunks
}

/** Releases each chunk as it is read, so that the pack is in memory once, not twice. */
async function* released(chunks: Uint8Array[]): AsyncGenerator<Uint8Array> {
  chunks.reverse()
  for (let chunk = chunks.pop(); chunk !== undefined; chunk = chunks.pop()) yield chunk
}

async function gathered(body: NonNullable<HttpCall['body']>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(chunk)
  return Buffer.concat(chunks)
}

type Agents = { for(url: URL): http.Agent | https.Agent; destroy(): void }

/** `proxyEnv`: HTTP_PROXY, HTTPS_PROXY and NO_PROXY as every other program on the host reads them. */
function createAgents(certificate: string | undefined): Agents {
  const plain = new http.Agent({ keepAlive: true, proxyEnv: process.env })
  let secure: https.Agent | undefined
  return {
    for: (url) => {
      if (url.protocol !== 'https:') return plain
      secure ??= secureAgent(certificate)
      return secure
    },
    destroy: () => {
      plain.destroy()
      secure?.destroy()
    },
  }
}

/** Trusts the system's authorities and `certificate`. A server with the key of exactly that certificate may have any name. */
function secureAgent(certificate: string | undefined): https.Agent {
  const authorities = systemAuthorities()
  const options = { keepAlive: true, proxyEnv: process.env }
  if (certificate === undefined) return new https.Agent({ ...options, ca: authorities })
  return pinnedAgent(parsed(certificate), { ...options, ca: [...authorities, certificate], orElseByAuthority: true })
}

function parsed(certificate: string): X509Certificate {
  try {
    return new X509Certificate(certificate)
  } catch (cause) {
    const message = 'The certificate pinned for the repository is not a PEM certificate.'
    throw new PlumbError(
      { code: 'usage', message, remedy: 'Give the file that plumb install was meant to keep.' },
      { cause },
    )
  }
}
