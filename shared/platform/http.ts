// The only HTTP client: one request and its answer, with a deadline over all of it and a limit to every body. On node's own client and
// not on undici, whose parser in WebAssembly would cost an agent at rest more than 20 MiB.
// Decision: docs/decisions/2026-11-30-nodes-own-http-client.md

import http, { type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import https from 'node:https'
import type { LookupFunction } from 'node:net'
import { compact } from '../compact.ts'
import { errnoOf } from '../errno.ts'
import { guarded } from './guarded.ts'
import { millisecondsSince, trace } from './trace.ts'

export type HttpRequest = {
  readonly url: URL
  /** Default: POST with a body, else GET. */
  readonly method?: string | undefined
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array | undefined
  /** For the request and its whole answer. */
  readonly deadlineMs: number
  /** Between two bytes, the first included. Default: only the deadline counts. */
  readonly idleMs?: number
  /** Aborted: the request ends as at its deadline. */
  readonly stop?: AbortSignal | undefined
  /** Default: a connection of its own, to a server that the authorities of node know. */
  readonly agent?: http.Agent | undefined
  /** Chooses, or refuses, the very addresses that are then connected to. */
  readonly lookup?: LookupFunction | undefined
  /** False: any certificate will do. */
  readonly rejectUnauthorized?: boolean
}

export type HttpResponse = {
  readonly status: number
  readonly statusText: string
  readonly headers: Readonly<Record<string, string>>
  /** To be read once, by the limit of `atMost` or `wholeBody`. Breaks off with an error where the answer does. */
  readonly body: AsyncIterable<Uint8Array>
  /** Closes the connection: the rest of the body is not wanted. */
  destroy(): void
}

/** The deadline or the silence was longer than allowed, or the request was stopped. */
export class NoAnswerInTime extends Error {
  override readonly name = 'NoAnswerInTime'
  readonly code = 'ETIMEDOUT'

  constructor() {
    super('no answer in time')
  }
}

export class BodyTooLarge extends Error {
  override readonly name = 'BodyTooLarge'
}

/** Follows no redirect. Rejects with `NoAnswerInTime` or node's error; answers with any status. */
export async function sendRequest(request: HttpRequest): Promise<HttpResponse> {
  const silent = new AbortController()
  const ends = [AbortSignal.timeout(request.deadlineMs), silent.signal]
  const signal = AbortSignal.any(request.stop === undefined ? ends : [...ends, request.stop])
  const inTime = (error: unknown): unknown => (signal.aborted ? new NoAnswerInTime() : error)
  const started = performance.now()
  const ended = (outcome: number | string) => traceRequest(request, started, outcome)
  const { response, destroy } = await responseTo(request, signal, () => silent.abort()).catch((error: unknown) => {
    ended(errnoOf(inTime(error)) ?? 'failed')
    throw inTime(error)
  })
  ended(response.statusCode ?? 0)
  return {
    status: response.statusCode ?? 0,
    statusText: response.statusMessage ?? '',
    headers: plainHeaders(response.headers),
    body: chunksOf(response, inTime),
    destroy,
  }
}

/** Until the answer began. Of the address the origin alone: the path of a webhook is a secret. */
function traceRequest({ url, method, body }: HttpRequest, started: number, outcome: number | string): void {
  trace('request ended', () => ({
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    origin: url.origin,
    outcome,
    milliseconds: millisecondsSince(started),
  }))
}

/** Throws `BodyTooLarge` as soon as there is more. */
export async function* atMost(body: AsyncIterable<Uint8Array>, limitBytes: number): AsyncGenerator<Uint8Array> {
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size > limitBytes) throw new BodyTooLarge(`it sent more than ${Math.round(limitBytes / 1024 / 1024)} MiB`)
    yield chunk
  }
}

/** Closes the connection where it throws. */
export async function wholeBody({ body, destroy }: HttpResponse, limitBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  try {
    for await (const chunk of atMost(body, limitBytes)) chunks.push(chunk)
  } catch (error) {
    destroy()
    throw error
  }
  return Buffer.concat(chunks)
}

export function basicAuthorization({ username, password }: { readonly username: string; readonly password: string }) {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}

type Responded = { readonly response: IncomingMessage; readonly destroy: () => void }

function responseTo(request: HttpRequest, signal: AbortSignal, onSilence: () => void): Promise<Responded> {
  const { url, body, idleMs, lookup, rejectUnauthorized } = request
  const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
  const options = {
    method: request.method ?? (body === undefined ? 'GET' : 'POST'),
    headers: { ...request.headers, ...length },
    agent: request.agent ?? false,
    signal,
    ...compact({ lookup, rejectUnauthorized }),
  }
  return new Promise((resolve, reject) => {
    const sent = url.protocol === 'https:' ? https.request(url, options) : http.request(url, options)
    const destroy = () => void sent.destroy()
    if (idleMs !== undefined) sent.setTimeout(idleMs, guarded(onSilence, destroy))
    sent.once('response', (response) => resolve({ response, destroy }))
    sent.on('error', guarded(reject, reject))
    sent.end(body)
  })
}

async function* chunksOf(response: IncomingMessage, inTime: (error: unknown) => unknown): AsyncGenerator<Uint8Array> {
  try {
    yield* response as AsyncIterable<Uint8Array>
  } catch (error) {
    throw inTime(error)
  }
}

function plainHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])),
  )
}
