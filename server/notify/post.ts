// One POST to an external address: one deadline for the whole exchange, no redirects, a bounded answer, no loopback or
// link-local target. Errors are reported as codes: messages of the network stack contain the address, and addresses are
// secrets.

import { errnoOf } from '../../shared/errno.ts'
import { type HttpResponse, NoAnswerInTime, sendRequest } from '../../shared/platform/http.ts'
import { ForbiddenAddress, isOwnAddress, ownAddressesRefused } from '../../shared/platform/own-addresses.ts'
import { visibleText } from '../../shared/visible-text.ts'

export type PostOutcome =
  | { readonly kind: 'delivered' }
  /** The receiver rejects this message. `answer`: the beginning of its response, with the address masked. */
  | { readonly kind: 'rejected'; readonly reason: string; readonly answer: string }
  | { readonly kind: 'failed'; readonly reason: string; readonly retryAfterMs?: number }

export type PostOptions = {
  readonly deadlineMs: number
  /** May reach loopback and link-local addresses. */
  readonly anywhere: boolean
}

export async function postJson(url: URL, body: object, options: PostOptions): Promise<PostOutcome> {
  const address = url.hostname.replace(/^\[|\]$/g, '')
  if (!options.anywhere && isOwnAddress(address)) return { kind: 'failed', reason: forbidden }
  try {
    const response = await sendRequest({
      url,
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json', 'user-agent': 'plumbline' },
      deadlineMs: options.deadlineMs,
      lookup: options.anywhere ? undefined : ownAddressesRefused,
    })
    return outcomeOf(response, await answerOf(response, url))
  } catch (thrown) {
    return { kind: 'failed', reason: reasonOf(thrown) }
  }
}

const forbidden = 'the address is on this machine or link-local, which only a secret of the server may name'
const answerLimitBytes = 64 * 1024

const rejectedFor = new Set([400, 413, 422])

function outcomeOf({ status, headers }: HttpResponse, answer: string): PostOutcome {
  if (status >= 200 && status < 300) return { kind: 'delivered' }
  const reason = `the receiver answered ${status}`
  if (rejectedFor.has(status)) return { kind: 'rejected', reason, answer }
  const seconds = Number(headers['retry-after'])
  if (!Number.isFinite(seconds) || seconds <= 0) return { kind: 'failed', reason }
  return { kind: 'failed', reason, retryAfterMs: seconds * 1000 }
}

/** Reads a bounded part of the response body, so that the receiver can finish sending it. */
async function answerOf({ body, destroy }: HttpResponse, url: URL): Promise<string> {
  let size = 0
  let start = ''
  try {
    for await (const chunk of body) {
      size += chunk.length
      if (start.length < answerStartBytes) start += Buffer.from(chunk).toString('latin1')
      if (size > answerLimitBytes) break
    }
  } catch {
    // Only the status matters.
  }
  destroy()
  return answerText(Buffer.from(start.slice(0, answerStartBytes), 'latin1').toString('utf8'), url)
}

const answerStartBytes = 4096
const answerShown = 200

/** One line of plain text, with parts of the address masked: receivers often echo the request path. */
function answerText(answer: string, url: URL): string {
  const parts = addressParts(url)
  const masked = parts.reduce((shown, part) => shown.replaceAll(part, '[...]'), answer)
  // A part that is cut in two by the read limit is not masked.
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

function reasonOf(thrown: unknown): string {
  if (thrown instanceof ForbiddenAddress) return forbidden
  if (thrown instanceof NoAnswerInTime) return thrown.message
  return errnoOf(thrown) ?? 'the connection failed'
}
