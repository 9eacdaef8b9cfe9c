// One POST to an address outside: a deadline over all of it, no redirects, a bounded answer, no way to the machine's own services.
// What went wrong is said by codes, because messages of the network stack hold the address, and addresses are secrets.
import { lookup } from 'node:dns'
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import { guarded } from '../../shared/platform/guarded.ts'
import { visibleText } from '../../shared/visible-text.ts'

export type PostOutcome =
  | { readonly kind: 'delivered' }
  /** The receiver does not take this message as it is. `answer`: how its text begins, without the address. */
  | { readonly kind: 'rejected'; readonly reason: string; readonly answer: string }
  | { readonly kind: 'failed'; readonly reason: string; readonly retryAfterMs?: number }

export type PostOptions = {
  readonly deadlineMs: number
  /** May reach loopback and link-local addresses. */
  readonly anywhere: boolean
}

export async function postJson(url: URL, body: object, options: PostOptions): Promise<PostOutcome> {
  const address = url.hostname.replace(/^\[|\]$/g, '')
  if (!options.anywhere && isForbidden(address)) return { kind: 'failed', reason: forbidden }
  try {
    const response = await responseTo(url, JSON.stringify(body), options)
    return outcomeOf(response, await answerOf(response, url))
  } catch (thrown) {
    return { kind: 'failed', reason: codeOf(thrown) }
  }
}

const forbidden = 'the address is on this machine or link-local, which only a secret of the server may name'
const answerLimitBytes = 64 * 1024

const ownAddresses = new BlockList()
ownAddresses.addSubnet('127.0.0.0', 8, 'ipv4')
ownAddresses.addSubnet('0.0.0.0', 8, 'ipv4')
ownAddresses.addSubnet('169.254.0.0', 16, 'ipv4')
ownAddresses.addAddress('::', 'ipv6')
ownAddresses.addAddress('::1', 'ipv6')
ownAddresses.addSubnet('fe80::', 10, 'ipv6')

function isForbidden(address: string): boolean {
  const family = isIP(address)
  return family !== 0 && ownAddresses.check(address, family === 4 ? 'ipv4' : 'ipv6')
}

class ForbiddenAddress extends Error {}

/** Checks the very addresses that are then connected to: a name that resolves to something else a moment later gains nothing. */
const guardedLookup: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    const [first] = addresses ?? []
    if (error !== null || first === undefined) callback(error ?? new Error('no address'), '')
    else if (addresses.some(({ address }) => isForbidden(address))) callback(new ForbiddenAddress(forbidden), '')
    else if (options.all === true) callback(null, addresses)
    else callback(null, first.address, first.family)
  })
}

function responseTo(url: URL, body: string, { deadlineMs, anywhere }: PostOptions): Promise<IncomingMessage> {
  const options: RequestOptions = {
    method: 'POST',
    agent: false,
    signal: AbortSignal.timeout(deadlineMs),
    headers: {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'user-agent': 'plumbline',
    },
    ...(anywhere ? {} : { lookup: guardedLookup }),
  }
  return new Promise((resolve, reject) => {
    const request = url.protocol === 'https:' ? httpsRequest(url, options) : httpRequest(url, options)
    request.once('response', guarded(resolve, reject))
    request.once('error', guarded(reject, reject))
    request.end(body)
  })
}

const rejectedFor = new Set([400, 413, 422])

function outcomeOf(response: IncomingMessage, answer: string): PostOutcome {
  const status = response.statusCode ?? 0
  if (status >= 200 && status < 300) return { kind: 'delivered' }
  const reason = `the receiver answered ${status}`
  if (rejectedFor.has(status)) return { kind: 'rejected', reason, answer }
  const seconds = Number(response.headers['retry-after'])
  if (!Number.isFinite(seconds) || seconds <= 0) return { kind: 'failed', reason }
  return { kind: 'failed', reason, retryAfterMs: seconds * 1000 }
}

/** Read so that the receiver is not cut off, and only as far as is decent. */
async function answerOf(response: IncomingMessage, url: URL): Promise<string> {
  let size = 0
  let start = ''
  try {
    for await (const chunk of response) {
      if (!Buffer.isBuffer(chunk)) continue
      size += chunk.length
      if (start.length < answerStartBytes) start += chunk.toString('latin1')
      if (size > answerLimitBytes) break
    }
  } catch {
    // The status was what counted.
  }
  response.destroy()
  return answerText(Buffer.from(start.slice(0, answerStartBytes), 'latin1').toString('utf8'), url)
}

const answerStartBytes = 4096
const answerShown = 200

/** One line of plain text. Receivers like to repeat where they were asked. */
function answerText(answer: string, url: URL): string {
  const parts = addressParts(url)
  const masked = parts.reduce((shown, part) => shown.replaceAll(part, '[...]'), answer)
  // A part that the end of what was read cuts in two is not masked.
  const whole = Buffer.byteLength(answer) < answerStartBytes ? masked : masked.slice(0, -(parts[0]?.length ?? 1))
  const text = whole.replace(/<(script|style)\b[\s\S]*?<\/\1>/gi, ' ').replace(/<[^>]*>/g, ' ')
  const line = visibleText(text.replace(/\s+/g, ' ').trim())
  return line.length > answerShown ? `${line.slice(0, answerShown).toWellFormed()}...` : line
}

const shortestSecret = 4

function addressParts({ host, hostname, pathname, search, username, password }: URL): readonly string[] {
  const parts = [host, hostname, username, password, ...`${pathname}${search}`.split(/[/?&=]/)]
  const spellings = new Set(parts.flatMap((part) => [part, decoded(part)]))
  return [...spellings].filter((part) => part.length >= shortestSecret).toSorted((a, b) => b.length - a.length)
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

function codeOf(thrown: unknown): string {
  if (thrown instanceof ForbiddenAddress) return forbidden
  if (thrown instanceof Error && thrown.name === 'TimeoutError') return 'no answer in time'
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined
  if (code === 'ABORT_ERR') return 'no answer in time'
  return typeof code === 'string' ? code : 'the connection failed'
}
